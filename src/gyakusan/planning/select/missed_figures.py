"""Figures that miss a limit, in words: rounded so that they never read as if they kept it."""

from __future__ import annotations

import math


def at_most(value: float, digits: int = 1) -> str:
    """Return a figure that misses a floor, rounded down: it never reads as if it reached it."""
    return f"{math.floor(10**digits * value) / 10**digits:.{digits}f}"


def at_least(value: float) -> str:
    """Return a figure that exceeds a limit, rounded up."""
    return f"{math.ceil(10 * value) / 10:.1f}"
