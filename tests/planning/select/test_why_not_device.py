"""Why not a device: it does not fit, is too slow, second-hand, not sold or beaten; each is true and has its figures."""

from __future__ import annotations

from functools import cache

import pytest
from msgspec import structs
from tests.planning.small import small

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.why_not import WhyNot, why_not


@cache
def ask(**values: object) -> Recommendation:
    return recommend(parse_request({"budget": "500000JPY", "users": 4, "context": "32k", **values}), columns=small())


def told(answer: Recommendation, name: str) -> WhyNot:
    return why_not(answer, name, tries=False)


@pytest.mark.parametrize(
    ("device", "because", "words"),
    [
        ("RTX 3090", "used", "second-hand only"),
        ("2x RTX 3090", "used", "second-hand only"),
        ("RTX 5090", "money", "more than the budget"),
        ("GTX 1060 6GB", "unsold", "only the launch price"),
        ("RTX 4090 Laptop", "unsold", "not sold as a machine"),
        ("M4 Max 128GB", "unsold", "Mac Studio"),
        ("H100", "wish", "--enterprise"),
        ("RTX 4090 D", "wish", "one country"),
        ("4x RTX 5060 Ti 16GB", "wish", "--gpus 4"),
    ],
)
def test_each_refusal_is_of_its_own_kind(device: str, because: str, words: str) -> None:
    """All of these were called too dear, or that nothing fits and is fast enough."""
    why = told(ask(), device)
    assert why.reason.because == because
    assert words in str(why.reasons[0])


def test_a_price_is_said_beside_the_budget() -> None:
    why = told(ask(), "RTX 5090").reason
    assert why.figure == "price"
    assert why.has is not None
    assert why.wants == 500_000
    assert f"{why.has:,.0f} yen, {why.has - why.wants:,.0f} yen more" in str(why.sentence)


def test_a_card_on_which_nothing_fits_says_what_is_missing() -> None:
    answer = ask(model="qwen3-30b-a3b")
    why = told(answer, "RTX 5060").reason
    assert why.because == "memory"
    assert "qwen3-30b-a3b, lacks" in str(why.sentence)
    options = [o for o in answer.grid.offers if o.machine.name == "NVIDIA GeForce RTX 5060"]
    assert options
    assert not len(feasible_candidates(answer.request, answer.grid.columns, options).cells)


@pytest.mark.parametrize(
    ("limit", "value", "because"), [("speed", 400, "speed"), ("quality", 99, "quality"), ("first", 0.01, "wait")]
)
def test_a_floor_that_a_card_misses_is_named_with_what_it_has(limit: str, value: object, because: str) -> None:
    """The best that it has is a floor that it keeps, and one better is not."""
    answer = ask(model="gpt-oss-20b", **{limit: value})
    why = told(answer, "RTX 5060 Ti 16GB").reason
    assert why.because == because
    assert why.has is not None
    options = [o for o in answer.grid.offers if o.machine.name == "NVIDIA GeForce RTX 5060 Ti 16GB"]
    field = {"speed": "speed", "quality": "quality", "wait": "max_ttft"}[because]
    better = 0.99 if because == "wait" else 1.01
    for factor, held in ((1 / better, True), (better, False)):
        asked = structs.replace(answer.request, **{field: factor * why.has})
        found = feasible_candidates(asked, answer.grid.columns, options)
        assert bool(len(found.cells)) is held


def test_a_model_with_scores_is_never_called_untested() -> None:
    answer = recommend(parse_request({"device": "RTX 3060 12GB", "users": 2, "context": "16k"}))
    scored = [m.name for m in answer.grid.columns.models if any(mode.basis != "assumed" for mode in m.modes)]
    for name in scored[::12]:
        text = " ".join(str(r) for r in told(answer, name).reasons)
        assert "no benchmark score" not in text
        assert "nobody tested" not in text.casefold()
