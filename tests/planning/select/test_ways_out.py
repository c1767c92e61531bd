"""What leaves a request without a plan."""

from __future__ import annotations

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.ways_out import no_plan
from gyakusan.units import GIB


def _lacks(**question: object) -> float:
    why = no_plan(recommend(parse_request(question)))
    assert why.decides == "memory"
    assert why.has is not None
    return why.has


def test_what_is_lacking_counts_every_conversation() -> None:
    """Of models whose weights alone are too large their conversations count, too: more memory lacks less of it."""
    little, some, more = (_lacks(memory=f"{n}GiB", users=65536, context="128k") for n in (20, 24, 28))
    assert little > some > more > 10_000 * GIB
    half = _lacks(memory="24GiB", users=32768, context="128k")
    assert 1.9 < some / half < 2.1
