"""Recommend fleets of identical machines for many users or a rate of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from msgspec import structs

from gyakusan.engines.registry import usual_engines
from gyakusan.message import Message, say
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.fleet.labels import shown_fleets
from gyakusan.planning.fleet.multi_node import plans_across_machines
from gyakusan.planning.fleet.plan import FleetPlan, fleet_plan
from gyakusan.planning.fleet.ranking import (
    ROLES,
    affordable_beside,
    best_plan,
    cheapest_shapes,
    not_much_dearer,
    ranked_for_role,
)
from gyakusan.planning.fleet.relaxations import FleetWay, speed_unknown, ways_out
from gyakusan.planning.fleet.request import FleetRequest, reached_by_others
from gyakusan.planning.fleet.sizes import replica_queue_of, sized, surviving
from gyakusan.planning.fleet.sweep import FleetCandidates, offered_machines, sweep_fleets
from gyakusan.planning.request.money import ExchangeRates, exchange_rates
from gyakusan.planning.request.pace import slowest_answer
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import confirm_candidate, confirm_surely
from gyakusan.planning.select.ranking import TIE_POINTS, rank_candidates
from gyakusan.planning.select.recommend import MAX_TRIES, text_model_name

TRIED = 4
"""Fleets of each role that are sized exactly before one of them is chosen."""


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """The recommended fleets.

    request: what was requested, with defaults
    plans: recommended fleets, each with its roles
    ways: changes of the request with which there is a fleet that surely fits, where there is none
    reasons: why there is none, where no change is known to help
    rates: exchange rates
    count: candidates that were evaluated
    """

    request: FleetRequest
    plans: tuple[FleetPlan, ...]
    ways: tuple[FleetWay, ...]
    reasons: tuple[Message, ...]
    rates: ExchangeRates
    count: int


def fleet(request: FleetRequest, *, columns: ModelTable | None = None) -> FleetAnswer:
    """Return the best fleets for a request. columns: models, None = the catalogue's. Raises GyakusanError."""
    models = columns or catalogue.load()
    name = request.plan_request.model
    if name is not None and name not in models.places:
        request = replace(request, plan_request=structs.replace(request.plan_request, model=text_model_name(name)))
    candidates = sweep_fleets(request, models)
    exchange = exchange_rates(dict(request.plan_request.rates))
    plans = _recommended(request, candidates, exchange)
    ways, reasons = ((), ()) if plans else _without_a_fleet(request, models, candidates.sustainable_rate)
    return FleetAnswer(request, plans, ways, reasons, exchange, candidates.grid.count)


def _without_a_fleet(
    request: FleetRequest, models: ModelTable, sustainable: float
) -> tuple[tuple[FleetWay, ...], tuple[Message, ...]]:
    """Return what would give the request a fleet, and why there is none where nothing does."""
    if unknown := speed_unknown(request):
        return (), unknown

    def planned(changed: FleetRequest) -> FleetPlan | None:
        exchange = exchange_rates(dict(changed.plan_request.rates))
        plans = _recommended(changed, sweep_fleets(changed, models), exchange)
        return plans[0] if plans and plans[0].plan.surely_fits else None

    ways = ways_out(request, planned, sustainable)
    return ways, () if ways else (say("No number of catalogue machines meets these conditions."),)


def left_out(answer: FleetAnswer) -> tuple[str, ...]:
    """Return the engines that `plan` takes on a machine that was looked at and a fleet does not: their servers have no key."""
    if "engines" in answer.request.given or not answer.plans:
        return ()
    offers = offered_machines(answer.request, answer.rates)
    machines = {o.machine.gpus[0].backend: o.machine for o in offers if o.machine.gpus}.values()
    one = answer.plans[0].plan.deployment
    without = (n for n in usual_engines() if n not in reached_by_others())
    return tuple(n for n in without if any(not one.on(m).under(n).refusals for m in machines))


def _recommended(request: FleetRequest, candidates: FleetCandidates, exchange: ExchangeRates) -> tuple[FleetPlan, ...]:
    """Return the fleets of an answer; those across machines compete with those whose replicas fit one machine."""
    # what may not fit at the high end of doubt is an answer only where nothing surely fits
    promising = _promising(request, candidates, exchange, surely=True) or _promising(
        request, candidates, exchange, surely=False
    )
    found = [sized(request, p, exchange) for p in promising]
    best_quality = max((p.quality_lower for p in found), default=None)
    across = plans_across_machines(request, candidates, exchange, best_quality)
    found += [p for p in across if p.answer_speed >= slowest_answer(request.plan_request) or not found]
    winners = _role_winners(request.plan_request, found)
    more = surviving(request, winners[0], exchange) if winners else None
    plans = shown_fleets(request.plan_request, [*winners, *(() if more is None else (more,))])
    if "nodes" in request.given and across and all(p.nodes == 1 for p in plans):
        plans = (*plans, replace(across[0], roles=("across",)))
    return plans


def _promising(
    request: FleetRequest, candidates: FleetCandidates, exchange: ExchangeRates, *, surely: bool
) -> list[FleetPlan]:
    """Return the first fleets of each role whose replicas fit one machine, the balanced ones first.

    surely: only those that fit at the high end of doubt
    """
    plan_request, grid = request.plan_request, candidates.grid
    if not len(grid.cells):
        return []
    scores = cheapest_shapes(plan_request, rank_candidates(plan_request, grid), candidates.replicas)
    first = next(ranked_for_role("balanced", scores, candidates.replicas, plan_request), None)
    if first is not None:
        scores = affordable_beside(plan_request, scores, first)
    confirmed: dict[int, FleetPlan | None] = {}
    for role in ROLES:
        found = 0
        for index in islice(ranked_for_role(role, scores, candidates.replicas, plan_request), MAX_TRIES):
            if index not in confirmed:
                confirmed[index] = _confirmed(request, candidates, index, exchange, surely=surely)
            plan = confirmed[index]  # its exact speed may miss what the sweep's figure keeps
            found += plan is not None and plan.answer_speed >= slowest_answer(plan_request)
            if found == TRIED:
                break
    return [p for p in confirmed.values() if p is not None]


def _role_winners(request: PlanRequest, found: Sequence[FleetPlan]) -> list[FleetPlan]:
    """Return the best fleet of each role, the balanced one first, one that wins several once."""
    winners: list[FleetPlan] = []
    near = found
    for role in ROLES:
        plan = best_plan(role, near, request)
        if plan is None:
            continue
        if not winners and request.prefer != "quality":
            near = not_much_dearer(found, plan)
        if not any(_is_dearer(plan, w) for w in winners):
            winners.append(plan)
    return winners


def _is_dearer(plan: FleetPlan, shown: FleetPlan) -> bool:
    """Return True for the same model on the same machines that costs no less and is no better, as with less thinking."""
    mine, other = plan.plan, shown.plan
    same = (mine.name, mine.offer.machine.name, plan.nodes) == (other.name, other.offer.machine.name, shown.nodes)
    saves = plan.machines < shown.machines or plan.monthly < shown.monthly
    return same and not saves and plan.quality_lower <= shown.quality_lower + TIE_POINTS


def _confirmed(
    request: FleetRequest, candidates: FleetCandidates, index: int, exchange: ExchangeRates, *, surely: bool
) -> FleetPlan | None:
    """Return the fleet of a candidate, None if the engine's ledger or the exact speed does not confirm it."""
    users = int(candidates.users_per_replica[index])
    confirm = confirm_surely if surely else confirm_candidate
    replica = confirm(structs.replace(request.plan_request, users=users), candidates.grid, index)
    if replica is None or replica.pace is None:
        return None
    queue = replica_queue_of(request.plan_request, replica, users)
    return fleet_plan(request, replica, queue, int(candidates.replicas[index]), exchange)
