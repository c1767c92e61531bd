"""How far a plan can grow: the longest context for its users, and the most users at its context."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.planning.predict.capacity import Capacity, find_capacity
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation


class PlanCapacity(Struct, frozen=True):
    """How far one plan can grow on its machine.

    plan: as it was recommended
    limits: longest context and most users, by the engine's own ledger
    trained: context that the model was trained for [tokens]
    """

    plan: Plan
    limits: Capacity
    trained: int


def plan_capacities(recommendation: Recommendation) -> tuple[PlanCapacity, ...]:
    """Return the capacity of every recommended plan."""
    return tuple(capacity_of(plan) for plan in recommendation.plans)


def capacity_of(plan: Plan) -> PlanCapacity:
    """Return the capacity of one plan."""
    return PlanCapacity(plan, find_capacity(plan.deployment), plan.ledger.model.trained_context)
