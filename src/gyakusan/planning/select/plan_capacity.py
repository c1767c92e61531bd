"""How far a plan reaches: the longest context for its users, and the most users at its context."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.planning.predict.capacity import Capacity, find_capacity
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan, exact_ledger
from gyakusan.planning.select.recommend import Recommendation


@dataclass(frozen=True, slots=True)
class PlanCapacity:
    """plan; limits: by memory, as the engine's ledger has it; trained: what the model was trained for [tokens]."""

    plan: Plan
    limits: Capacity
    trained: int


def plan_capacities(found: Recommendation) -> tuple[PlanCapacity, ...]:
    """For every plan of an answer."""
    return tuple(capacity_of(found.question, plan) for plan in found.plans)


def capacity_of(asked: PlanRequest, plan: Plan) -> PlanCapacity:
    """For one plan of a question."""
    trained = plan.ledger.model.trained_context
    kv = next(k for k in asked.kv_types if _same(plan, k, Load(asked.users, asked.workload.context)))

    def ledger(load: Load) -> Ledger:
        priced = exact_ledger(plan.name, plan.base, plan.engine, plan.offer.machine, load, kv)
        return plan.ledger if priced is None else priced[0]

    return PlanCapacity(plan, find_capacity(ledger, Load(asked.users, asked.workload.context), trained), trained)


def _same(plan: Plan, kv: str, load: Load) -> bool:
    """True if the plan was made with this type of cache."""
    priced = exact_ledger(plan.name, plan.base, plan.engine, plan.offer.machine, load, kv)
    return priced is not None and priced[0].settings == plan.ledger.settings
