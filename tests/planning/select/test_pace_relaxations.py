"""Where no plan keeps the usual limits of speed: each change that is named gives a plan that does."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.planning.small import small

from gyakusan.core.machine import Device, Machine
from gyakusan.planning.nodes.answers import option
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.pace_relaxations import keeps_pace, pace_relaxations
from gyakusan.planning.select.recommend import planned_in_time, recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.units import GIB

COMPUTER = Machine("box", (), Device("Some CPU", "host", 32 * GIB, "cpu", bandwidth=40e9), cores=2, simd="avx2")
HERE = option(COMPUTER)
TABLE = small(("llama3.1-8b", "qwen3-8b", "qwen3-30b-a3b", "lfm2-8b-a1b"))


def asked(request: PlanRequest, *, bought: bool = False) -> Recommendation:
    return recommend(request, columns=TABLE, offers=None if bought else (HERE,))


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"task": "coding"}, {"prompt_tokens", "budget"}),
        ({"task": "chat", "users": 24, "prompt": 400, "context": "4k"}, {"users", "budget"}),
    ],
)
def test_every_change_keeps_the_limits(values: dict[str, object], fields: set[str]) -> None:
    request = parse_request({"device": "cpu", **values})
    found = asked(request)
    assert found.plans
    assert not keeps_pace(request, found.plans[0])
    changes = pace_relaxations(request, (HERE,), TABLE, exchange_rates({}), planned_in_time(TABLE))
    assert fields <= {name for change in changes for name in change.changes}
    for change in changes:
        bought = "budget" in change.changes
        relaxed = structs.replace(request, **change.changes, **({"device": None} if bought else {}))
        plans = asked(relaxed, bought=bought).plans
        assert plans, str(change.sentence)
        assert keeps_pace(relaxed, plans[0]), str(change.sentence)
        assert plans[0].surely_fits, str(change.sentence)


def test_what_the_planner_does_not_hold_is_not_named() -> None:
    """The columns of the sweep said so, and nobody asked the engine's ledger."""
    request = parse_request({"device": "cpu", "task": "coding"})
    assert pace_relaxations(request, (HERE,), TABLE, exchange_rates({}), lambda request, on: False) == ()
    half = pace_relaxations(
        request, (HERE,), TABLE, exchange_rates({}), lambda r, on: r.workload.prompt_tokens < 2000 and r is not request
    )
    assert all(change.changes["prompt_tokens"] < 2000 for change in half)


def test_nothing_is_named_where_a_plan_is_fast_enough() -> None:
    assert recommend(parse_request({"device": "RTX 4090"}), columns=small()).relaxations == ()
