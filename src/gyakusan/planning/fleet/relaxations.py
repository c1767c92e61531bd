"""Relaxations of a fleet: a larger budget, more replicas, and those of any request; fewer requests, users or tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from msgspec import structs

from gyakusan.message import people, say
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.fleet.request import LARGEST, FleetRequest, reached_by_others
from gyakusan.planning.fleet.sweep import offered_machines, sweep_fleets
from gyakusan.planning.predict.speed_inputs import chip_of
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.relaxations import (
    MIN_CONTEXT,
    Relaxation,
    Works,
    context_changes,
    dropped_limits,
    largest_working,
    with_context,
)


def find_relaxations(request: FleetRequest, columns: ModelTable, sustainable: float) -> tuple[Relaxation, ...]:
    """Return each single change with which a fleet serves the request. Never empty.

    sustainable: most requests that any fleet of the request sustains [1/s]
    """
    hardware = offered_machines(request, exchange_rates(dict(request.plan_request.rates)))
    if hardware and all(chip_of(o.machine) is None for o in hardware):
        first = hardware[0].machine
        sentence = say(
            "The speed of {machine} is not known, so the number of machines cannot be computed.", machine=first.name
        )
        if first.gpus:
            return (Relaxation(sentence),)
        return (Relaxation(sentence), Relaxation(say("gyakusan calibrate measures it; or add --bandwidth 80GB/s.")))

    def works(changed: PlanRequest) -> bool:
        changed = changed if changed.engines else structs.replace(changed, engines=reached_by_others())
        return _is_served(replace(request, plan_request=changed), columns)

    smaller = _fewer_requests(request, sustainable) or _fewer_users(request, works) or _one_user(request, works)
    relaxations = (
        *(r for larger, r in _more_machines(request) if _is_served(larger, columns)),
        *dropped_limits(request.plan_request, works),
        *((smaller,) if smaller else ()),
    )
    return relaxations or (Relaxation(say("No number of catalogue machines meets these conditions.")),)


def _is_served(request: FleetRequest, columns: ModelTable) -> bool:
    """Return True if any fleet serves the request; replicas that span machines are left out."""
    return len(sweep_fleets(request, columns, first_only=True).grid.cells) > 0


def _more_machines(request: FleetRequest) -> Iterator[tuple[FleetRequest, Relaxation]]:
    if request.budget is not None:
        unlimited = replace(request, budget=None, plan_request=structs.replace(request.plan_request, budget=None))
        yield unlimited, Relaxation(say("It works with a larger budget."), {"budget": None})
    if request.replicas < LARGEST["replicas"]:
        changes: dict[str, int] = {"replicas": LARGEST["replicas"]}
        yield replace(request, replicas=LARGEST["replicas"]), Relaxation(say("It works with more replicas."), changes)


def _fewer_requests(request: FleetRequest, sustainable: float) -> Relaxation | None:
    if request.plan_request.arrivals is None or sustainable <= 0:
        return None
    rate = 0.99 * sustainable
    return Relaxation(say("It works with {n} requests an hour.", n=f"{rate * 3600:,.4g}"), {"arrivals": rate})


def _fewer_users(request: FleetRequest, works: Works) -> Relaxation | None:
    plan_request = request.plan_request
    if plan_request.arrivals is not None:
        return None
    users = largest_working(lambda n: works(structs.replace(plan_request, users=n)), plan_request.users // 4, divisor=4)
    return Relaxation(say("It works for {users}.", users=people(users)), {"users": users}) if users else None


def _one_user(request: FleetRequest, works: Works) -> Relaxation | None:
    """Return the longest context of one user, by quarters."""
    single_user = structs.replace(request.plan_request, users=1)
    start = single_user.workload.context // 2
    context = largest_working(lambda n: works(with_context(single_user, n)), start, least=MIN_CONTEXT, divisor=4)
    if not context:
        return None
    sentence = say("It works for 1 user and {n} tokens.", n=f"{context:,}")
    return Relaxation(sentence, {"users": 1, **context_changes(single_user, context)})
