"""Dominance: what is worse or equal in everything, and worse in something, is dropped. Exact; equals stay in their order."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any

import numpy as np

Array = Any


def pareto_frontier(quality: Array, speed: Array, price: Array) -> Array:
    """Places of what nothing dominates, in order. quality, speed: more is better; price: less is.

    Unknown speeds (nan) count as none. Of exact equals the first stays.
    """
    q, s, p = (np.nan_to_num(np.asarray(x, float), nan=0.0) for x in (quality, speed, price))
    order = np.lexsort((np.arange(len(q)), -s, -q, p))
    steps: list[tuple[float, float]] = []
    kept = [i for i in order.tolist() if _enters(steps, q[i], s[i])]
    return np.array(sorted(kept), np.int64)


def _enters(steps: list[tuple[float, float]], quality: float, speed: float) -> bool:
    """True if nothing cheaper is as good and as fast; then it joins. steps: (-quality, speed), speeds rising."""
    at = bisect_left(steps, (-quality, float("inf")))
    if at and steps[at - 1][1] >= speed:
        return False
    while at < len(steps) and steps[at][1] <= speed:
        del steps[at]
    insort(steps, (-quality, speed))
    return True


def pareto_by_case(offer: Array, context: Array, tier: Array, quality: Array, speed: Array) -> Array:
    """Places of what nothing of the same machine, context and tier dominates; the price of one machine is one price."""
    if not len(offer):
        return np.zeros(0, np.int64)
    speed = np.nan_to_num(speed, nan=0.0)
    case = (offer * (int(context.max()) + 1) + context) * (int(tier.max()) + 1) + tier
    order = np.lexsort((-speed, -quality, case))
    case = np.cumsum(np.diff(case[order], prepend=-1) != 0)
    levels, level = np.unique(speed[order], return_inverse=True)
    height = case * len(levels) + level  # grows from case to case, so that one running maximum serves all
    before = np.concatenate(([-1], np.maximum.accumulate(height)[:-1]))
    return np.sort(order[height > before])
