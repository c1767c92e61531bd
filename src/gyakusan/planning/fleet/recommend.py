"""Recommend fleets of identical machines for many users or a rate of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.fleet.multi_node import plans_across_machines
from gyakusan.planning.fleet.plan import FleetPlan, fleet_plan
from gyakusan.planning.fleet.ranking import ROLES, Role, best_plan, ranked_for_role
from gyakusan.planning.fleet.relaxations import find_relaxations
from gyakusan.planning.fleet.replica_queue import ReplicaQueue, replica_queue
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.fleet.sweep import FleetCandidates, sweep_fleets
from gyakusan.planning.request.money import ExchangeRates, exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, confirm_candidate, exact_speed
from gyakusan.planning.select.ranking import MIN_SPEED_SHARE, rank_candidates
from gyakusan.planning.select.recommend import first_confirmed, text_model_name
from gyakusan.planning.select.relaxations import Relaxation


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """The recommended fleets.

    request: what was requested, with defaults
    plans: recommended fleets, each with its roles
    relaxations: changes of the request with which there is a fleet, where there is none
    rates: exchange rates
    count: candidates that were evaluated
    """

    request: FleetRequest
    plans: tuple[FleetPlan, ...]
    relaxations: tuple[Relaxation, ...]
    rates: ExchangeRates
    count: int


def fleet(request: FleetRequest, *, columns: ModelTable | None = None) -> FleetAnswer:
    """Return the best fleets for a request. columns: models, None = the catalogue's. Raises GyakusanError."""
    models = columns or catalogue.load()
    name = request.plan_request.model
    if name is not None and name not in models.places:
        request = replace(request, plan_request=replace(request.plan_request, model=text_model_name(name)))
    candidates = sweep_fleets(request, models)
    exchange = exchange_rates(dict(request.plan_request.rates))
    plans = _recommended(request, candidates, exchange)
    relaxations = () if plans else find_relaxations(request, models, candidates.sustainable_rate)
    return FleetAnswer(request, plans, relaxations, exchange, candidates.grid.count)


def _recommended(request: FleetRequest, candidates: FleetCandidates, exchange: ExchangeRates) -> tuple[FleetPlan, ...]:
    """Return a fleet for each role; those across machines compete with those whose replicas fit one machine."""
    winners = _winners(request, candidates, exchange)
    best_quality = max((p.quality_lower for p in winners.values()), default=None)
    across = plans_across_machines(request, candidates, exchange, best_quality)
    slowest = MIN_SPEED_SHARE * request.plan_request.workload.target_tps
    fast_enough = [p for p in across if p.visible_tokens_per_s >= slowest or not winners]
    plans = _with_roles(request.plan_request, winners, fast_enough)
    if "nodes" in request.given and across and all(p.nodes == 1 for p in plans):
        plans = (*plans, replace(across[0], roles=("across",)))
    return plans


def _winners(request: FleetRequest, candidates: FleetCandidates, exchange: ExchangeRates) -> dict[Role, FleetPlan]:
    """Return the best fleet of each role whose replicas fit one machine."""
    winners: dict[Role, FleetPlan] = {}
    if not len(candidates.grid.cells):
        return winners
    scores = rank_candidates(request.plan_request, candidates.grid)
    confirmed: dict[int, FleetPlan | None] = {}
    for role in ROLES:
        ranked = ranked_for_role(role, scores, candidates.replicas, request.plan_request)
        index = first_confirmed(ranked, lambda i: _confirmed(request, candidates, i, exchange), confirmed)
        plan = None if index is None else confirmed[index]
        if plan is not None:
            winners[role] = plan
    return winners


def _with_roles(
    request: PlanRequest, winners: dict[Role, FleetPlan], across: Sequence[FleetPlan]
) -> tuple[FleetPlan, ...]:
    """Return the best fleet of each role, one that wins several with all its roles."""
    plans: list[FleetPlan] = []
    for role in ROLES:
        plan = winners.get(role)
        if across:
            pool = [p for p in (plan, *across) if p is not None]
            plan = best_plan(role, pool, [*winners.values(), *across], request)
        if plan is None:
            continue
        same = next((i for i, p in enumerate(plans) if _key(p) == _key(plan)), None)
        if same is None:
            plans.append(replace(plan, roles=(role,)))
        else:
            plans[same] = replace(plans[same], roles=(*plans[same].roles, role))
    return tuple(plans)


def _key(plan: FleetPlan) -> tuple[str, str, str, int]:
    return plan.plan.name, plan.plan.engine, plan.plan.offer.machine.name, plan.machines


def _confirmed(
    request: FleetRequest, candidates: FleetCandidates, index: int, exchange: ExchangeRates
) -> FleetPlan | None:
    """Return the fleet of a candidate, None if the engine's ledger or the exact speed does not confirm it."""
    users = int(candidates.users_per_replica[index])
    replica = confirm_candidate(replace(request.plan_request, users=users), candidates.grid, index)
    if replica is None or replica.pace is None:
        return None
    queue = _queue(request.plan_request, replica, users)
    return fleet_plan(request, replica, queue, int(candidates.replicas[index]), exchange)


def _queue(request: PlanRequest, replica: Plan, slots: int) -> ReplicaQueue:
    """Return the queue of a replica on one machine, from its speeds with all and with fewer users."""
    assert replica.pace is not None
    speeds = {slots: replica.pace}
    for users in {1, max(1, slots // 4), max(1, slots // 2)} - {slots}:
        speed = exact_speed(replace(request, users=users), replica.deployment)
        if speed is not None:
            speeds[users] = speed
    return replica_queue(request, speeds, replica.mode.thinking, replica.offer.machine, replica.engine, 1)
