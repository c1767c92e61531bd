"""Which fleets are proposed: balanced, the best answers, the fastest, the cheapest to own, the fewest machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log2
from typing import Any, Literal

import numpy as np

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

Array = Any
Role = Literal["balanced", "best", "fastest", "cheapest", "fewest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "cheapest", "fewest")
WITHIN = {
    "balanced": GOOD_WITHIN_POINTS,
    "best": TIE_POINTS,
    "fastest": GOOD_WITHIN_POINTS,
    "cheapest": CHEAPEST_WITHIN_POINTS,
    "fewest": GOOD_WITHIN_POINTS,
}
"""So many points below the best a fleet may be, for each role. [points]"""
COMFORTABLE = ("fastest", "cheapest", "fewest")
"""Roles that only what reaches the pace of the task may have."""


def order(role: Role, r: RankingScores, machines: Array, question: PlanRequest) -> Iterator[int]:
    """Places of cells, the best for a role first. Ties: cheaper a month, better, less memory, the catalogue's order.

    The pools are those of roles.order: what one bears, and for speed, price and size what reaches the pace of the task;
    speed beyond ENOUGH times that pace is worth nothing.
    """
    cells, keep = r.cells, r.eligible
    if not len(keep):
        return iter(())
    easy, slow = keep[r.meets_target_speed[keep]], keep[r.acceptable_speed[keep]]
    borne = slow if len(slow) else keep
    pool = easy if len(easy) and role in COMFORTABLE else borne
    top = float(np.max(cells.quality_lower[pool if role == "best" else easy if len(easy) else borne]))
    pool = pool[cells.quality_lower[pool] >= top - WITHIN[role]]
    speed = np.minimum(
        np.nan_to_num(cells.visible_tokens_per_s, nan=0.0), USEFUL_SPEED_FACTOR * question.workload.target_tps
    )
    key = {"balanced": -r.utility, "best": cells.price, "fastest": -speed, "cheapest": cells.price, "fewest": machines}[
        role
    ]
    second = -r.utility if role == "fewest" else cells.price
    places = np.lexsort(
        (pool, cells.total[pool], -cells.quality_lower[pool], cells.price[pool], second[pool], key[pool])
    )
    return iter(pool[places].tolist())


def best_of(
    role: Role, pool: Sequence[FleetPlan], every: Sequence[FleetPlan], question: PlanRequest
) -> FleetPlan | None:
    """The same among few plans. every: what the best answers are measured by; None if nothing is good enough."""
    workload = question.workload
    borne = [p for p in every if p.useful >= MIN_SPEED_SHARE * workload.target_tps] or list(every)
    easy = [p for p in borne if p.useful >= workload.target_tps] or borne
    allowed = easy if role in COMFORTABLE else borne
    top = max(p.sure for p in (borne if role == "best" else easy))
    good = [p for p in pool if p in allowed and p.sure >= top - WITHIN[role]]

    def worth(plan: FleetPlan) -> float:
        a, b, c = WEIGHTS[question.prefer]
        pace = log2(min(USEFUL_SPEED_FACTOR, max(2.0**-6, plan.useful / workload.target_tps)))
        price = log2(max(1.0, plan.monthly)) if plan.monthly < float("inf") else 0.0
        return a * plan.sure / 10 + b * pace - c * price

    keys = {
        "balanced": lambda p: (-worth(p),),
        "best": lambda p: (p.monthly,),
        "fastest": lambda p: (-min(p.useful, USEFUL_SPEED_FACTOR * workload.target_tps), p.monthly),
        "cheapest": lambda p: (p.monthly,),
        "fewest": lambda p: (p.machines, -worth(p)),
    }
    return min(good, key=keys[role], default=None)
