"""A plan in an address: written and read again, in any form that a person copies, and refused in words."""

from __future__ import annotations

import pytest

from gyakusan.errors import GyakusanError
from gyakusan.web.plan_questions import MOST, MOST_TITLE, Picked, picked
from gyakusan.web.queries import BesideQuery, CompareQuery, PlanQuery, read

FULL = Picked(PlanQuery(budget="1000000JPY", users="5", speed=12.5, quality=60, used=True, images=False, gpus=2), 3)


def test_what_is_written_is_read() -> None:
    assert FULL.written == "budget=1000000JPY&users=5&speed=12.5&quality=60&gpus=2&used=1&images=0#p3"
    assert picked([FULL.written, "", FULL.written]) == (FULL, Picked(PlanQuery()))
    assert picked([FULL.address]) == (FULL,)
    assert picked(["http://127.0.0.1:8501/plan?device=RTX+4090&lang=ja#p2"]) == (
        Picked(PlanQuery(device="RTX 4090"), 2),
    )
    assert picked(["device=RTX 4090"]) == (Picked(PlanQuery(device="RTX 4090")),)


def test_why_not_chooses_no_plan() -> None:
    assert Picked(PlanQuery(users="2", why_not="phi4-14b")).written == "users=2#p1"
    asked = ["users=2#p1", "users=2&why_not=phi4-14b#p1", "users=2&why-not=phi4-14b&beside=users%3D3%23p1#p1"]
    assert picked(asked) == (Picked(PlanQuery(users="2")),), "one plan counts once"


@pytest.mark.parametrize("value", [12.345678, 12.0, 0.1, 1e-7, 1e17])
def test_a_number_keeps_its_digits(value: float) -> None:
    one = Picked(PlanQuery(speed=value))
    assert picked([one.written]) == (one,)


def test_a_title_says_what_was_asked() -> None:
    assert Picked(PlanQuery(budget="1000000JPY", users="5", used=True)).title == "1000000JPY, users 5, used"
    assert Picked(PlanQuery()).title == ""
    assert len(Picked(PlanQuery(device="x" * 90, users="5")).title) == MOST_TITLE


def test_the_length_of_a_question_is_that_of_its_words() -> None:
    """Percent-encoded, a Japanese character has nine."""
    one = Picked(PlanQuery(model="逆" * 120))
    assert len(one.written) > 1000
    for kind, name in ((CompareQuery, "plan"), (BesideQuery, "beside")):
        assert getattr(read(kind, [(name, one.written)]), name) == (one.written,)
        with pytest.raises(GyakusanError, match="too long"):
            read(kind, [(name, "x" * 1001)])
        with pytest.raises(GyakusanError, match="at most 64"):
            read(kind, [(name, one.written)] * 65)


@pytest.mark.parametrize(
    "text",
    ["users=2#p0", "users=2#p", "users=2#p١", "users=2#p999", "nonsense=1", "users=2&users=3", "a=1&" * 80, "%ff=%ff"],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(GyakusanError):
        picked([text])


def test_at_most_six() -> None:
    with pytest.raises(GyakusanError, match="7 plans"):
        picked([f"users={n}" for n in range(1, MOST + 2)])


def test_a_question_about_this_computer_without_a_plan_has_a_title() -> None:
    from gyakusan.planning.request.money import exchange_rates
    from gyakusan.planning.select.side_by_side import THIS_COMPUTER, ComparedPlan
    from gyakusan.show.amounts import Amounts
    from gyakusan.show.side_by_side import screen, titled
    from gyakusan.show.tree import Verdict
    from gyakusan.text import tell

    side = ComparedPlan(THIS_COMPUTER)
    verdict = screen([side], Amounts("JPY", exchange_rates({})))[0]
    assert isinstance(verdict, Verdict)
    assert tell(titled(side), "ja") == "このコンピューター"
    assert "このコンピューター" in tell(verdict.sentences[0], "ja")
