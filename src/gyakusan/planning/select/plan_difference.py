"""How one plan differs from another in quality and speed, and whether the difference is more than noise."""

from __future__ import annotations

import math

from msgspec import Struct

from gyakusan.core.quality import SHARE80, Score, better
from gyakusan.planning.candidates.model_table import SCORES
from gyakusan.planning.request.pace import USEFUL_SPEED_FACTOR
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan

P_BETTER_MIN = 0.9
"""A plan is called better from this probability on: one end of an 80 % interval."""
FELT_POINTS = 2.0
"""A smaller gain in quality is not felt, however sure it is. Assumed: from Q8_0 to Q4_K_M is about one. [points]"""


class PlanDifference(Struct, frozen=True):
    """How plan b differs from plan a.

    quality_gap: quality of b - quality of a, with one standard error [points]
    p_better: probability that the quality of b is better
    speed_ratio: visible tokens/s for each user (reasoning left out), b / a, then both ends of the 80 % interval; None = not known
    """

    quality_gap: Score
    p_better: float
    speed_ratio: tuple[float, float, float] | None


def plan_difference(a: Plan, b: Plan, metric: str) -> PlanDifference:
    """Return the difference of two plans. metric: column of quality that counts.

    The error of one model's own score cancels between two of its quantisations.
    """
    first, second = a.score, b.score
    if a.name == b.name and a.mode.mode == b.mode.mode:
        error = 2 * SCORES.index(metric) + 1
        first, second = _quantization_error(a, a.mode.scores[error]), _quantization_error(b, b.mode.scores[error])
    gap = Score(float(b.score.value - a.score.value), math.hypot(float(first.error), float(second.error)))
    return PlanDifference(gap, float(better(second, first)), _speed_ratio(a, b))


def _quantization_error(plan: Plan, model_error: float) -> Score:
    """Return the score with the error of the quantisation alone. model_error: of the model's own score [points]."""
    return Score(plan.score.value, math.sqrt(max(0.0, float(plan.score.error) ** 2 - model_error**2)))


def _speed_ratio(a: Plan, b: Plan) -> tuple[float, float, float] | None:
    """Return b / a, with the errors of two independent predictions: their logarithms add in squares."""
    if a.pace is None or b.pace is None:
        return None
    one, two = a.pace.decode_each, b.pace.decode_each
    if min(one.low, two.low) <= 0:
        return None
    ratio = two.value / b.thinking.factor / (one.value / a.thinking.factor)
    down = math.hypot(math.log(two.value / two.low), math.log(one.high / one.value))
    up = math.hypot(math.log(two.high / two.value), math.log(one.value / one.low))
    return ratio, ratio * math.exp(-down), ratio * math.exp(up)


def is_real_gain(request: PlanRequest, a: Plan | None, b: Plan) -> bool:
    """Return True if b is clearly better or clearly faster than a, and not clearly worse in the other.

    Speed counts up to USEFUL_SPEED_FACTOR times the task's target, without the tokens that reasoning spends.
    """
    if a is None:
        return True
    workload = request.workload
    difference = plan_difference(a, b, workload.quality_metric)
    limit = USEFUL_SPEED_FACTOR * workload.target_tps
    speed_a, speed_b = _useful_speed(a, limit), _useful_speed(b, limit)
    faster = slower = False
    if speed_a is not None and speed_b is not None:
        faster = speed_b[0] > speed_a[1]
        slower = speed_b[1] < min(speed_a[0], workload.target_tps)
    worse = difference.p_better <= 1 - P_BETTER_MIN
    better_ = difference.p_better >= P_BETTER_MIN and float(difference.quality_gap.value) >= FELT_POINTS
    return (better_ and not slower) or (faster and not worse)


def _useful_speed(plan: Plan, limit: float) -> tuple[float, float] | None:
    """Return both ends of the visible speed, each at most `limit` [tokens/s]."""
    if plan.pace is None:
        return None
    each = plan.pace.decode_each
    return min(limit, each.low / plan.thinking.factor), min(limit, each.high / plan.thinking.factor)


def interval(score: Score) -> tuple[float, float]:
    """Return both ends of the 80 % interval [points]."""
    return float(score.value - SHARE80 * score.error), float(score.value + SHARE80 * score.error)
