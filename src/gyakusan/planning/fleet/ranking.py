"""Rank fleets for each role: balanced, best quality, fastest, lowest monthly cost, fewest machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite, log2
from typing import Literal

import numpy as np

from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.ranking import (
    CHEAPEST_WITHIN_POINTS,
    GOOD_WITHIN_POINTS,
    MIN_SPEED_SHARE,
    TIE_POINTS,
    USEFUL_SPEED_FACTOR,
    WEIGHTS,
    RankingScores,
)

Role = Literal["balanced", "best", "fastest", "cheapest", "fewest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "cheapest", "fewest")
WITHIN_POINTS = {
    "balanced": GOOD_WITHIN_POINTS,
    "best": TIE_POINTS,
    "fastest": GOOD_WITHIN_POINTS,
    "cheapest": CHEAPEST_WITHIN_POINTS,
    "fewest": GOOD_WITHIN_POINTS,
}
"""How far below the best quality a fleet of each role may be. [points]"""
ON_TARGET_ROLES = ("fastest", "cheapest", "fewest")
"""Roles that must meet the workload's target speed where any fleet does."""


def ranked_for_role(role: Role, scores: RankingScores, machines: IntArray, request: PlanRequest) -> Iterator[int]:
    """Yield candidates, the best for a role first. Ties: lower monthly cost, quality, less memory, the table's order.

    The candidates of a role are those of select.ranking: of acceptable speed, or on target. Speed beyond
    USEFUL_SPEED_FACTOR times the target does not count.
    machines: of each candidate (candidates,)
    """
    cells, eligible = scores.cells, scores.eligible
    if not len(eligible):
        return iter(())
    on_target, acceptable = eligible[scores.meets_target_speed[eligible]], eligible[scores.acceptable_speed[eligible]]
    acceptable = acceptable if len(acceptable) else eligible
    on_target = on_target if len(on_target) else acceptable
    top = float(np.max(cells.quality_lower[acceptable if role == "best" else on_target]))
    pool = on_target if role in ON_TARGET_ROLES else acceptable
    pool = pool[cells.quality_lower[pool] >= top - WITHIN_POINTS[role]]
    speed = np.minimum(
        np.nan_to_num(cells.visible_tokens_per_s, nan=0.0), USEFUL_SPEED_FACTOR * request.workload.target_tps
    )
    sort_by: dict[Role, FloatArray | IntArray] = {
        "balanced": -scores.utility,
        "best": cells.price,
        "fastest": -speed,
        "cheapest": cells.price,
        "fewest": machines,
    }
    second = -scores.utility if role == "fewest" else cells.price
    keys = (pool, cells.total[pool], -cells.quality_lower[pool], cells.price[pool], second[pool], sort_by[role][pool])
    return iter(pool[np.lexsort(keys)].tolist())


def best_plan(
    role: Role, pool: Sequence[FleetPlan], all_plans: Sequence[FleetPlan], request: PlanRequest
) -> FleetPlan | None:
    """Return the best plan of `pool` for a role by the rules of `ranked_for_role`, None if none is good enough.

    all_plans: the plans whose best quality and speed are the measure
    """
    target = request.workload.target_tps
    acceptable = [p for p in all_plans if p.visible_tokens_per_s >= MIN_SPEED_SHARE * target] or list(all_plans)
    on_target = [p for p in acceptable if p.visible_tokens_per_s >= target] or acceptable
    allowed = on_target if role in ON_TARGET_ROLES else acceptable
    top = max(p.quality_lower for p in (acceptable if role == "best" else on_target))
    good = [p for p in pool if p in allowed and p.quality_lower >= top - WITHIN_POINTS[role]]
    unknown = 2 * max((p.monthly for p in all_plans if isfinite(p.monthly)), default=1.0)
    keys: dict[Role, Callable[[FleetPlan], tuple[float, ...]]] = {
        "balanced": lambda p: (-_utility(p, request, unknown),),
        "best": lambda p: (p.monthly,),
        "fastest": lambda p: (-min(p.visible_tokens_per_s, USEFUL_SPEED_FACTOR * target), p.monthly),
        "cheapest": lambda p: (p.monthly,),
        "fewest": lambda p: (p.machines, -_utility(p, request, unknown)),
    }
    return min(good, key=keys[role], default=None)


def _utility(plan: FleetPlan, request: PlanRequest, unknown: float) -> float:
    """Return quality, speed and price as one figure. unknown: cost of a month that is not known [JPY]."""
    by_quality, by_speed, by_price = WEIGHTS[request.prefer]
    speed = plan.visible_tokens_per_s / request.workload.target_tps
    speed_doublings = log2(min(USEFUL_SPEED_FACTOR, max(2.0**-6, speed)))
    price_doublings = log2(max(1.0, plan.monthly if isfinite(plan.monthly) else unknown))
    return by_quality * plan.quality_lower / 10 + by_speed * speed_doublings - by_price * price_doublings
