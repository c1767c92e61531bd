"""One plan against another: how much better, how much faster, and whether that is more than noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gyakusan.core.quality import SHARE80, Score, better
from gyakusan.planning.candidates.model_table import SCORES
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import USEFUL_SPEED_FACTOR

P_BETTER_MIN = 0.9
"""From this probability on one is called better than the other: one end of an 80 % interval."""
FELT_POINTS = 2.0
"""Fewer points nobody would feel, however sure they are: assumed, the step from Q8_0 to Q4_K_M is about one. [points]"""


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """b against a. quality: difference with its error [points]; better: P(b is better), 0 to 1; times: speed of what is

    read (without tokens that reasoning spends) for each user, b over a, with its 80 % interval, None where one is not known.
    """

    quality: Score
    better: float
    times: tuple[float, float, float] | None


def plan_difference(a: Plan, b: Plan, score: str) -> PlanDifference:
    """score: the column of quality that counts. One model twice has its own error once: only the quantisations differ."""
    first, second = a.score, b.score
    if a.name == b.name and a.mode.mode == b.mode.mode:
        at = 2 * SCORES.index(score) + 1
        first, second = _quantised(a, a.mode.scores[at]), _quantised(b, b.mode.scores[at])
    gap = Score(float(b.score.value - a.score.value), math.hypot(float(first.error), float(second.error)))
    return PlanDifference(gap, float(better(second, first)), _times(a, b))


def _quantised(plan: Plan, own: float) -> Score:
    """The score with the error of the quantisation alone. own: error of the model [points]"""
    return Score(plan.score.value, math.sqrt(max(0.0, float(plan.score.error) ** 2 - own**2)))


def _times(a: Plan, b: Plan) -> tuple[float, float, float] | None:
    """Errors as of two independent predictions: their logarithms add in squares."""
    if a.pace is None or b.pace is None:
        return None
    one, two = a.pace.decode_each, b.pace.decode_each
    if min(one.low, two.low) <= 0:
        return None
    ratio = two.value / b.mode.thinking / (one.value / a.mode.thinking)
    down = math.hypot(math.log(two.value / two.low), math.log(one.high / one.value))
    up = math.hypot(math.log(two.high / two.value), math.log(one.value / one.low))
    return ratio, ratio * math.exp(-down), ratio * math.exp(up)


def is_real_gain(asked: PlanRequest, a: Plan | None, b: Plan) -> bool:
    """True if b is clearly better than a, or clearly faster by what one can use, and not clearly worse in the other.

    What one can use ends at ENOUGH times the pace of the task, without the tokens that reasoning spends.
    """
    if a is None:
        return True
    found, workload = plan_difference(a, b, asked.workload.quality_metric), asked.workload
    most = USEFUL_SPEED_FACTOR * workload.target_tps
    slow, fast = _useful(a, most), _useful(b, most)
    faster = slow is not None and fast is not None and fast[0] > slow[1]
    slower = slow is not None and fast is not None and fast[1] < min(slow[0], workload.target_tps)
    worse = found.better <= 1 - P_BETTER_MIN
    felt = found.better >= P_BETTER_MIN and float(found.quality.value) >= FELT_POINTS
    return (felt and not slower) or (faster and not worse)


def _useful(plan: Plan, most: float) -> tuple[float, float] | None:
    """Both ends of the speed of what is read, not more than `most`. [tokens/s]"""
    if plan.pace is None:
        return None
    each = plan.pace.decode_each
    return min(most, each.low / plan.mode.thinking), min(most, each.high / plan.mode.thinking)


def interval(score: Score) -> tuple[float, float]:
    """Both ends of the 80 % interval. [points]"""
    return float(score.value - SHARE80 * score.error), float(score.value + SHARE80 * score.error)
