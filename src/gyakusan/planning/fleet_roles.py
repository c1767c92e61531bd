"""Which fleets are proposed: balanced, the best answers, the fastest, the cheapest to own, the fewest machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log2
from typing import Any, Literal

import numpy as np

from gyakusan.planning.fleet_plan import FleetPlan
from gyakusan.planning.question import Question
from gyakusan.planning.roles import ENOUGH, EQUAL, FAR, NEAR, WEIGHTS, Ranked

Array = Any
Role = Literal["balanced", "best", "fastest", "cheapest", "fewest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "cheapest", "fewest")
WITHIN = {"balanced": NEAR, "best": EQUAL, "fastest": NEAR, "cheapest": FAR, "fewest": NEAR}
"""So many points below the best a fleet may be, for each role. [points]"""


def order(role: Role, r: Ranked, machines: Array, question: Question) -> Iterator[int]:
    """Places of cells, the best for a role first. Ties: cheaper a month, better, less memory, the catalogue's order.

    Fleets that reach the pace of the task count, if any do; speed beyond ENOUGH times that pace is worth nothing.
    """
    cells, keep = r.cells, r.keep
    if not len(keep):
        return iter(())
    easy = keep[r.easy[keep]]
    pool = easy if len(easy) else keep
    pool = pool[cells.sure[pool] >= float(np.max(cells.sure[pool])) - WITHIN[role]]
    speed = np.minimum(np.nan_to_num(cells.useful, nan=0.0), ENOUGH * question.usual.pace)
    key = {"balanced": -r.worth, "best": cells.price, "fastest": -speed, "cheapest": cells.price, "fewest": machines}[
        role
    ]
    second = -r.worth if role == "fewest" else cells.price
    places = np.lexsort((pool, cells.total[pool], -cells.sure[pool], cells.price[pool], second[pool], key[pool]))
    return iter(pool[places].tolist())


def best_of(role: Role, pool: Sequence[FleetPlan], every: Sequence[FleetPlan], question: Question) -> FleetPlan | None:
    """The same among few plans. every: what the best answers are measured by; None if nothing is good enough."""
    usual = question.usual
    easy = [p for p in every if p.useful >= usual.pace] or list(every)
    top = max(p.sure for p in easy)
    good = [p for p in pool if p in easy and p.sure >= top - WITHIN[role]]

    def worth(plan: FleetPlan) -> float:
        a, b, c = WEIGHTS[question.prefer]
        pace = log2(min(ENOUGH, max(2.0**-6, plan.useful / usual.pace)))
        price = log2(max(1.0, plan.monthly)) if plan.monthly < float("inf") else 0.0
        return a * plan.sure / 10 + b * pace - c * price

    keys = {
        "balanced": lambda p: (-worth(p),),
        "best": lambda p: (p.monthly,),
        "fastest": lambda p: (-min(p.useful, ENOUGH * usual.pace), p.monthly),
        "cheapest": lambda p: (p.monthly,),
        "fewest": lambda p: (p.machines, -worth(p)),
    }
    return min(good, key=keys[role], default=None)
