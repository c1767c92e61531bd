"""People or arrivals -> fleets of identical machines: replicas, machines that one replica spans, costs, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gyakusan.catalog.models import find
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.fleet.plan import FleetPlan, fleet_plan
from gyakusan.planning.fleet.ranking import ROLES, Role, best_of, order
from gyakusan.planning.fleet.relaxations import find_relaxations
from gyakusan.planning.fleet.replica_queue import ReplicaQueue, replica_queue
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.fleet.sweep import FleetCandidates, sweep_fleets
from gyakusan.planning.request.money import ExchangeRates, exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, confirm_candidate, exact_speed
from gyakusan.planning.select.ranking import MIN_SPEED_SHARE, rank_candidates
from gyakusan.planning.select.recommend import first_confirmed
from gyakusan.planning.select.relaxations import Relaxation


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """plans: one for each kind; relaxations: changes with which there is a plan, where there is none; rates: of currencies;

    count: fleets that were compared.
    """

    asked: FleetRequest
    plans: tuple[FleetPlan, ...]
    relaxations: tuple[Relaxation, ...]
    rates: ExchangeRates
    count: int


def fleet(asked: FleetRequest, *, columns: ModelTable | None = None) -> FleetAnswer:
    """The best fleets. columns: instead of the catalogue's. Raises GyakusanError."""
    known = columns or catalogue.load()
    name = asked.question.model
    if name is not None and name not in known.places:
        asked = replace(asked, question=replace(asked.question, model=find(name).name))
    found = sweep_fleets(asked, known)
    exchange = exchange_rates(dict(asked.question.rates))
    plans = _chosen(asked, found, exchange)
    relaxations = () if plans else find_relaxations(asked, known, found.most)
    return FleetAnswer(asked, plans, relaxations, exchange, found.grid.count)


def _chosen(asked: FleetRequest, found: FleetCandidates, exchange: ExchangeRates) -> tuple[FleetPlan, ...]:
    """A fleet for each role; what is best in several has several roles."""
    winners: dict[Role, FleetPlan] = {}
    if len(found.grid.cells):
        r = rank_candidates(asked.question, found.grid)
        checked: dict[int, FleetPlan | None] = {}
        for role in ROLES:
            ranked = order(role, r, found.replicas, asked.question)
            index = first_confirmed(ranked, lambda i: verified(asked, found, i, exchange), checked)
            plan = None if index is None else checked[index]
            if plan is not None:
                winners[role] = plan
    from gyakusan.planning.fleet.multi_node import spanning

    wide = spanning(asked, found, exchange, max((p.sure for p in winners.values()), default=None))
    plans = _named(
        asked.question,
        winners,
        [p for p in wide if p.useful >= MIN_SPEED_SHARE * asked.question.workload.target_tps or not winners],
    )
    if "nodes" in asked.said and wide and all(p.nodes == 1 for p in plans):
        plans = (*plans, replace(wide[0], roles=("across",)))
    return plans


def _named(question: PlanRequest, winners: dict[Role, FleetPlan], wide: Sequence[FleetPlan]) -> tuple[FleetPlan, ...]:
    """Roles -> plans with their roles. wide: plans that span machines, which may be better."""
    chosen: list[tuple[FleetPlan, list[str]]] = []
    for role in ROLES:
        pool = [p for p in (winners.get(role), *wide) if p is not None]
        if not pool:
            continue
        one = (
            winners[role] if role in winners and not wide else best_of(role, pool, [*winners.values(), *wide], question)
        )
        if one is None:
            continue
        twin = next((names for p, names in chosen if _same(p, one)), None)
        if twin is None:
            chosen.append((one, [role]))
        else:
            twin.append(role)
    return tuple(replace(p, roles=tuple(names)) for p, names in chosen)


def _same(a: FleetPlan, b: FleetPlan) -> bool:
    key = [(p.plan.name, p.plan.engine, p.plan.offer.machine.name, p.machines) for p in (a, b)]
    return key[0] == key[1]


def verified(asked: FleetRequest, found: FleetCandidates, place: int, exchange: ExchangeRates) -> FleetPlan | None:
    """The fleet of a cell, None if the ledger or the measured pace says otherwise than the columns."""
    share, replicas = int(found.share[place]), int(found.replicas[place])
    made = confirm_candidate(replace(asked.question, users=share), found.grid, place)
    if made is None or made.pace is None:
        return None
    return fleet_plan(asked, made, served(asked.question, made, share), replicas, exchange)


def served(question: PlanRequest, made: Plan, share: int) -> ReplicaQueue:
    """A replica on one machine as a queue."""
    assert made.pace is not None
    paces = {share: made.pace}
    for users in {1, max(1, share // 4), max(1, share // 2)} - {share}:
        one = exact_speed(replace(question, users=users), made.deployment)
        if one is not None:
            paces[users] = one
    return replica_queue(question, paces, made.mode.thinking, made.offer.machine, made.engine, 1)
