"""Which measurements are learned from: none of a crowded CPU, beyond every doubt of the built-in figure, or denied by others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gyakusan.learning import rule
from gyakusan.learning.rows import MOST_BUSY, Row
from gyakusan.message import Message, say

BEYOND = 3.0
"""Standard deviations from the built-in figure, or from the other measurements, past which one is refused."""
FEW = 3
"""From so many other measurements on, they are compared with."""


def refusal(row: Row, factor: float, others: Sequence[Row]) -> Message | None:
    """Return why a measurement is not learned from, None if it is.

    factor: of the built-in 80 % interval; others: what is learned of the same figure of the same device and engine
    """
    if row.crowded:
        facts = {"percent": f"{100 * row.busy:.0f}", "most": f"{100 * MOST_BUSY:.0f}"}
        return say("other programs took {percent} % of the cores, and above {most} % the figure tells of them", **facts)
    built_in = math.log(factor) / rule.Z
    late = math.log1p(rule.DELAY / row.predicted) if row.quantity == "ttft" else 0.0  # it counts more in a short time
    most = BEYOND * math.hypot(built_in, math.sqrt(row.noise), late)
    if abs(row.shift) > most:
        facts = {"times": _times(row.shift), "most": _times(most)}
        if row.shift > 0:
            return say("{times} times as fast as predicted, and more than {most} times is not plausible", **facts)
        return say("{times} times as slow as predicted, and more than {most} times is not plausible", **facts)
    own = [r.shift for r in others]
    if len(own) < FEW:
        return None
    middle = sorted(own)[len(own) // 2]
    rest = BEYOND * math.sqrt((1 - rule.DEVICE) * built_in**2 + 2 * row.noise + late**2)
    if abs(row.shift - middle) <= rest:
        return None
    return say(
        "{times} times off the other {n} measurements of this device", times=_times(row.shift - middle), n=len(own)
    )


def _times(shift: float) -> str:
    return f"{math.exp(abs(shift)):.2g}"
