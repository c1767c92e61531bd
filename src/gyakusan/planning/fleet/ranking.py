"""Rank fleets for each role: balanced, best quality, fastest, lowest monthly cost, fewest machines.

What a fleet is called in the answer is decided by the figures that are shown (planning.fleet.labels).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite, log2
from typing import Literal

import numpy as np
from msgspec import structs

from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.request.pace import MISS_STEP, missed_by, speed_points
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.ranking import (
    CHEAPEST_WITHIN_POINTS,
    GOOD_WITHIN_POINTS,
    WEIGHTS,
    RankingScores,
    nearest_first,
)

Role = Literal["balanced", "best", "fastest", "cheapest", "fewest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "cheapest", "fewest")
WITHIN_POINTS = {
    "balanced": GOOD_WITHIN_POINTS,
    "best": inf,
    "fastest": CHEAPEST_WITHIN_POINTS,
    "cheapest": CHEAPEST_WITHIN_POINTS,
    "fewest": CHEAPEST_WITHIN_POINTS,
}
"""How far below the best quality a fleet of each role may be; a label is true of all fleets of its scope. [points]"""
DEAREST = 10.0
"""A fleet that costs more than this many times the recommended one is no answer to the same question."""
SLOWER_ROLES = ("best",)
"""Roles that may be slower than the workload's target speed where another fleet is not."""


def cheapest_shapes(request: PlanRequest, scores: RankingScores) -> RankingScores:
    """Return the scores with one number of users per replica for each model, format, engine and machine: the cheapest.

    The cheapest of those that meet the target speed as it is expected, else of those of acceptable speed. Under arrivals
    all that are of acceptable speed with every slot taken count alike: most of the time most slots are free. Who prefers
    speed may pay for fewer users per replica.
    """
    if request.prefer == "speed" or not len(scores.eligible):
        return scores
    cells, places = scores.cells, scores.eligible
    what = (cells.offer, cells.engine, cells.row, cells.kv, cells.mode)
    speed = np.nan_to_num(cells.expected_visible_tokens_per_s, nan=0.0)
    good = scores.acceptable_speed
    if request.arrivals is None:
        good = good & scores.meets_target_speed
    late = 2 - 1 * scores.acceptable_speed - 1 * good
    ranked = places[np.lexsort((-speed[places], cells.price[places], late[places], *(w[places] for w in what)))]
    kinds = np.stack([w[ranked] for w in what])
    first = np.concatenate([[True], np.any(kinds[:, 1:] != kinds[:, :-1], axis=0)])
    return structs.replace(scores, eligible=np.sort(ranked[first]), meets_target_speed=good)


def affordable_beside(request: PlanRequest, scores: RankingScores, first: int) -> RankingScores:
    """Return the scores of candidates that cost at most DEAREST times as much as the first, all with --prefer quality."""
    if request.prefer == "quality":
        return scores
    price = scores.cells.price[scores.eligible]
    near = price <= DEAREST * scores.cells.price[first]
    return structs.replace(scores, eligible=scores.eligible[near]) if near.any() else scores


def ranked_for_role(role: Role, scores: RankingScores, machines: IntArray, request: PlanRequest) -> Iterator[int]:
    """Yield candidates, the best for a role first. Ties: lower monthly cost, quality, less memory, the table's order.

    All but the best meet the target speed where any candidate does. Where none is of acceptable speed, the nearest are first.
    machines: of each candidate (candidates,)
    """
    for near in nearest_first(scores, scores.eligible):
        yield from _ranked(role, near, scores, machines, request)


def _ranked(
    role: Role, acceptable: IntArray, scores: RankingScores, machines: IntArray, request: PlanRequest
) -> list[int]:
    """Return the candidates of a group of `nearest_first`, the best for a role first."""
    cells, on_target = scores.cells, acceptable[scores.meets_target_speed[acceptable]]
    on_target = on_target if len(on_target) else acceptable
    top = float(np.max(cells.quality_lower[acceptable if role in SLOWER_ROLES else on_target]))
    pool = acceptable if role in SLOWER_ROLES else on_target
    pool = pool[cells.quality_lower[pool] >= top - WITHIN_POINTS[role]]
    speed = np.nan_to_num(cells.expected_visible_tokens_per_s, nan=0.0)
    sort_by: dict[Role, FloatArray | IntArray] = {
        "balanced": -scores.utility,
        "best": -np.round(cells.quality),  # the points that are shown: a wider error is no reason to hide a model
        "fastest": -speed,
        "cheapest": cells.price,
        "fewest": machines,
    }
    second = -scores.utility if role == "fewest" else cells.price
    keys = (pool, cells.total[pool], -cells.quality_lower[pool], cells.price[pool], second[pool], sort_by[role][pool])
    order: list[int] = pool[np.lexsort(keys)].tolist()
    return order


def best_plan(role: Role, plans: Sequence[FleetPlan], request: PlanRequest) -> FleetPlan | None:
    """Return the best plan for a role by the rules of `ranked_for_role`, None without plans."""
    if not plans:
        return None
    target = request.workload.target_tps
    missed = [float(missed_by(request, p.answer_speed, 0.0)) for p in plans]
    near = 1.0 if 1.0 in missed else MISS_STEP * min(missed)
    acceptable = [p for p, miss in zip(plans, missed, strict=True) if miss <= near]
    on_target = [p for p in acceptable if p.answer_speed >= target] or acceptable
    allowed = acceptable if role in SLOWER_ROLES else on_target
    top = max(p.quality_lower for p in allowed)
    good = [p for p in allowed if p.quality_lower >= top - WITHIN_POINTS[role]]
    price = _prices(plans)
    keys: dict[Role, Callable[[FleetPlan], tuple[float, ...]]] = {
        "balanced": lambda p: (-_utility(p, request, price(p)),),
        "best": lambda p: (-round(float(p.plan.score.value)), price(p)),
        "fastest": lambda p: (-p.answer_speed, price(p)),
        "cheapest": lambda p: (price(p),),
        "fewest": lambda p: (p.machines, -_utility(p, request, price(p))),
    }
    return min(good, key=keys[role])


def _prices(plans: Sequence[FleetPlan]) -> Callable[[FleetPlan], float]:
    """Return the cost of a month to rank by; one that is not known is twice the dearest, or a machine's [JPY]."""
    dearest = max((p.monthly for p in plans if isfinite(p.monthly)), default=None)
    if dearest is None:
        return lambda p: float(p.machines)
    unknown = 2 * dearest
    return lambda p: p.monthly if isfinite(p.monthly) else unknown


def _utility(plan: FleetPlan, request: PlanRequest, price: float) -> float:
    """Return quality, speed and price as one figure. price: of a month, or the number of machines."""
    by_quality, by_speed, by_price = WEIGHTS[request.prefer]
    speed = float(speed_points(request.workload, request.prefer, plan.visible_tokens_per_s))
    return by_quality * plan.quality_lower / 10 + by_speed * speed - by_price * log2(max(1.0, price))
