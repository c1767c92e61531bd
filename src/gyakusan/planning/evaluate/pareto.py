"""Pareto dominance: drop what is worse or equal in everything, and worse in something. Exact; equals keep their order."""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from gyakusan.core.arrays import FloatArray, IntArray


def pareto_frontier(quality: FloatArray, speed: FloatArray, price: FloatArray) -> IntArray:
    """Return the places of candidates that none dominates, in order. All arrays are (candidates,).

    quality, speed: more is better; price: less is. Unknown speeds (nan) count as 0. Of exact equals the first stays. In
    order of rising price a candidate enters if it beats the staircase of those before it (Kung, Luccio and Preparata 1975,
    "On finding the maxima of a set of vectors", JACM 22).
    """
    q, s, p = (np.nan_to_num(np.asarray(x, float), nan=0.0) for x in (quality, speed, price))
    order = np.lexsort((np.arange(len(q)), -s, -q, p))
    steps: list[tuple[float, float]] = []
    entered = [i for i in order.tolist() if _enters(steps, q[i], s[i])]
    return np.array(sorted(entered), np.int64)


def _enters(steps: list[tuple[float, float]], quality: float, speed: float) -> bool:
    """Return True if nothing cheaper is as good and as fast; then it joins. steps: (-quality, speed), speeds rising."""
    at = bisect_left(steps, (-quality, float("inf")))
    if at and steps[at - 1][1] >= speed:
        return False
    while at < len(steps) and steps[at][1] <= speed:
        del steps[at]
    insort(steps, (-quality, speed))
    return True


def pareto_by_case(
    offer: IntArray, context: IntArray, tier: IntArray, quality: FloatArray, speed: FloatArray
) -> IntArray:
    """Return the places of candidates that none of the same machine, context and tier dominates in quality and speed.

    All arrays are (candidates,). The price of one machine is one price.
    """
    if not len(offer):
        return np.zeros(0, np.int64)
    speed = np.nan_to_num(speed, nan=0.0)
    case = _cases(offer, context, tier)
    order = np.lexsort((-speed, -quality, case))
    case = np.cumsum(np.diff(case[order], prepend=-1) != 0)
    levels, level = np.unique(speed[order], return_inverse=True)
    height = case * len(levels) + level  # grows from case to case, so that one running maximum serves all
    before = np.concatenate(([-1], np.maximum.accumulate(height)[:-1]))
    return np.sort(order[height > before])


def best_by_case(offer: IntArray, context: IntArray, tier: IntArray, quality: FloatArray) -> IntArray:
    """Return the place of the first candidate of highest quality of each machine, context and tier."""
    if not len(offer):
        return np.zeros(0, np.int64)
    case = _cases(offer, context, tier)
    order = np.lexsort((-quality, case))
    return np.sort(order[np.diff(case[order], prepend=-1) != 0])


def _cases(offer: IntArray, context: IntArray, tier: IntArray) -> IntArray:
    """Return one number for each machine, context and tier (candidates,)."""
    case: IntArray = (offer * (int(context.max()) + 1) + context) * (int(tier.max()) + 1) + tier
    return case
