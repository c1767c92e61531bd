"""How far a plan reaches: the longest context for its users, and the most users at its context."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.planning.predict.capacity import Capacity, find_capacity
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import Recommendation


@dataclass(frozen=True, slots=True)
class PlanCapacity:
    """How far one plan reaches.

    plan: the plan
    limits: longest context and most users, by the engine's own ledger
    trained: context that the model was trained for [tokens]
    """

    plan: Plan
    limits: Capacity
    trained: int


def plan_capacities(found: Recommendation) -> tuple[PlanCapacity, ...]:
    """Return the capacity of every plan of an answer."""
    return tuple(capacity_of(plan) for plan in found.plans)


def capacity_of(plan: Plan) -> PlanCapacity:
    """Return the capacity of one plan."""
    return PlanCapacity(plan, find_capacity(plan.deployment), plan.ledger.model.trained_context)
