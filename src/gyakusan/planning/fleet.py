"""People or arrivals -> fleets of identical machines: replicas, machines that one replica spans, costs, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gyakusan.catalog.models import find
from gyakusan.message import Message
from gyakusan.planning import columns as catalogue
from gyakusan.planning import costs
from gyakusan.planning.columns import Columns
from gyakusan.planning.fleet_grid import Fleets, fleets
from gyakusan.planning.fleet_plan import FleetPlan, commands, costed, lost
from gyakusan.planning.fleet_question import FleetQuestion
from gyakusan.planning.fleet_roles import ROLES, Role, best_of, order
from gyakusan.planning.fleet_service import Service, service
from gyakusan.planning.money import Rates, rates
from gyakusan.planning.question import Question
from gyakusan.planning.roles import SLOW, Ranked, ranked
from gyakusan.planning.verify import Plan, plan, timed

TRIES = 40
"""Cells of a role that are checked with the ledger before it is given up."""


@dataclass(frozen=True, slots=True)
class FleetAnswer:
    """plans: one for each kind; nearest: questions that have an answer, where this one has none; rates: of currencies;

    count: fleets that were compared.
    """

    asked: FleetQuestion
    plans: tuple[FleetPlan, ...]
    nearest: tuple[Message, ...]
    rates: Rates
    count: int


def fleet(asked: FleetQuestion, *, columns: Columns | None = None) -> FleetAnswer:
    """The best fleets. columns: instead of the catalogue's. Raises GyakusanError."""
    known = columns or catalogue.load()
    name = asked.question.model
    if name is not None and name not in known.places:
        asked = replace(asked, question=replace(asked.question, model=find(name).name))
    found = fleets(asked, known)
    exchange = rates(dict(asked.question.rates))
    plans = _chosen(asked, found, exchange)
    made = FleetAnswer(asked, plans, (), exchange, found.grid.count)
    if plans:
        return made
    from gyakusan.planning.fleet_nearest import nearest

    return replace(made, nearest=nearest(asked, known, found.most))


def _chosen(asked: FleetQuestion, found: Fleets, exchange: Rates) -> tuple[FleetPlan, ...]:
    """A fleet for each role; what is best in several has several roles."""
    winners: dict[Role, FleetPlan] = {}
    if len(found.grid.cells):
        r = ranked(asked.question, found.grid)
        checked: dict[int, FleetPlan | None] = {}
        for role in ROLES:
            one = _first(role, r, asked, found, checked, exchange)
            if one is not None:
                winners[role] = one
    from gyakusan.planning.fleet_nodes import spanning

    wide = spanning(asked, found, exchange, max((p.sure for p in winners.values()), default=None))
    plans = _named(
        asked.question, winners, [p for p in wide if p.useful >= SLOW * asked.question.usual.pace or not winners]
    )
    if "nodes" in asked.said and wide and all(p.nodes == 1 for p in plans):
        plans = (*plans, replace(wide[0], roles=("across",)))
    return plans


def _named(question: Question, winners: dict[Role, FleetPlan], wide: Sequence[FleetPlan]) -> tuple[FleetPlan, ...]:
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


def _first(
    role: Role, r: Ranked, asked: FleetQuestion, found: Fleets, checked: dict[int, FleetPlan | None], exchange: Rates
) -> FleetPlan | None:
    """The first fleet of a role that the ledger and the queue confirm."""
    for tried, place in enumerate(order(role, r, found.replicas, asked.question)):
        if place not in checked:
            checked[place] = verified(asked, found, place, exchange)
        if checked[place] is not None:
            return checked[place]
        if tried >= TRIES:
            break
    return None


def verified(asked: FleetQuestion, found: Fleets, place: int, exchange: Rates) -> FleetPlan | None:
    """The fleet of a cell, None if the ledger or the measured pace says otherwise than the columns."""
    share, replicas = int(found.share[place]), int(found.replicas[place])
    made = plan(replace(asked.question, users=share), found.grid, place)
    if made is None or made.pace is None:
        return None
    kv = asked.question.kv[int(found.grid.cells.kv[place])]
    return fleet_plan(asked, made, served(asked.question, made, share, kv), replicas, kv, exchange)


def served(question: Question, made: Plan, share: int, kv: str) -> Service:
    """A replica on one machine as a queue."""
    assert made.pace is not None
    paces = {share: made.pace}
    machine, settings = made.offer.machine, made.ledger.settings
    for users in {1, max(1, share // 4), max(1, share // 2)} - {share}:
        one = timed(replace(question, users=users), made.name, made.base, made.engine, machine, Ranks(settings), kv)
        if one is not None:
            paces[users] = one
    return service(question, paces, made.mode.thinking, machine, made.engine, 1)


class Ranks:
    """A ledger's settings, as far as time depends on them. tensor_parallel: devices that share each layer."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        found = settings.get("tensor_parallel", 1)
        self.tensor_parallel = found if isinstance(found, int) else 1


def fleet_plan(
    asked: FleetQuestion, made: Plan, found: Service, replicas: int, kv: str, exchange: Rates, nodes: int = 1
) -> FleetPlan | None:
    """So many replicas of a plan, more if the rate needs more; None beyond the budget, the replicas or the floors."""
    question, share = asked.question, found.slots * found.lanes
    met = None
    if question.arrivals is not None:
        bears = found.bearable
        fewest = -(-question.users // share) if "users" in asked.said else 1
        replicas = max(fewest, int(np.ceil(min(question.arrivals / bears, 1e9) - 1e-9)))
        met = found.at(question.arrivals / replicas)
        careful = found.at(question.arrivals / replicas, careful=True)
        late = question.first is not None and careful.first > question.first
        if met.saturated or careful.saturated or late or 1 / careful.token < question.speed:
            return None
    if replicas > asked.replicas or not within(asked, made, replicas * nodes, exchange):
        return None
    plan_command = commands(made.command, made.engine, replicas * nodes + asked.spare, nodes)
    return FleetPlan(
        roles=(),
        plan=made,
        replicas=replicas,
        spares=asked.spare,
        nodes=nodes,
        tensor=Ranks(made.ledger.settings).tensor_parallel,
        share=share,
        service=found,
        met=met,
        cost=costed(asked, made, replicas * nodes, replicas, found, exchange),
        loss=lost(asked, made, replicas, share, found, kv),
        commands=plan_command,
    )


def within(asked: FleetQuestion, made: Plan, machines: int, exchange: Rates) -> bool:
    """True if so many machines and the spares are within the budget."""
    if asked.budget is None:
        return True
    price = made.offer.price
    return price is not None and price * (machines + asked.spare) <= costs.yen(asked.budget, exchange)
