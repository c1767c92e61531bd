"""A plan in an address: written and read again, in any form that a person copies, and refused in words."""

from __future__ import annotations

import pytest

from gyakusan.errors import GyakusanError
from gyakusan.web.plan_questions import MOST, Picked, picked
from gyakusan.web.queries import PlanQuery

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
