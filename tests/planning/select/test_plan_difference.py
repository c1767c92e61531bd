"""The difference of two plans: the other way round it is the opposite."""

from __future__ import annotations

import pytest
from tests.planning.small import small

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_difference import interval, is_real_gain, plan_difference
from gyakusan.planning.select.recommend import MAX_TRIES, first_confirmed, recommend


@pytest.fixture(scope="module")
def plans() -> tuple[Plan, ...]:
    return tuple(
        recommend(parse_request({"device": "RTX 5090", "model": model}), columns=small()).plans[0]
        for model in ("qwen2.5-1.5b", "gpt-oss-20b")
    )


def test_the_other_way_round_it_is_the_opposite(plans: tuple[Plan, Plan]) -> None:
    there, back = plan_difference(*plans, "overall"), plan_difference(*reversed(plans), "overall")
    assert there.quality_gap.value == -back.quality_gap.value
    assert there.quality_gap.error == back.quality_gap.error
    assert there.p_better == pytest.approx(1 - back.p_better)
    assert there.speed_ratio is not None
    assert back.speed_ratio is not None
    value, low, high = there.speed_ratio
    assert back.speed_ratio == pytest.approx((1 / value, 1 / high, 1 / low))


def test_a_gain_is_never_one_both_ways(plans: tuple[Plan, Plan]) -> None:
    request = parse_request({"device": "RTX 5090"})
    assert is_real_gain(request, None, plans[0])
    assert is_real_gain(request, *plans)
    assert not is_real_gain(request, *reversed(plans))
    low, high = interval(plans[0].score)
    assert low <= plans[0].score.value <= high


def test_a_role_is_given_up_after_some_tries() -> None:
    tried: list[int] = []

    def confirm(index: int) -> str | None:
        tried.append(index)
        return None

    assert first_confirmed(range(1000), confirm, {}) is None
    assert tried == list(range(MAX_TRIES))
    assert first_confirmed([3, 5, 7], confirm, {3: None, 5: "plan"}) == 5
    assert len(tried) == MAX_TRIES
