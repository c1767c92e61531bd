"""Figures beside limits, in words: one that misses never reads as if it kept it, and one to be typed is kept."""

from __future__ import annotations

import math
from collections.abc import Callable

from gyakusan.message import Message, duration, in_minutes, say


def at_most(value: float, digits: int = 1) -> str:
    """Return a figure that misses a floor, rounded down: it never reads as if it reached it."""
    return f"{math.floor(10**digits * value) / 10**digits:.{digits}f}"


def at_least(value: float) -> str:
    """Return a figure that exceeds a limit, rounded up; "?" where it is not known, which exceeds every limit."""
    return f"{math.ceil(10 * value) / 10:.1f}" if math.isfinite(value) else "?"


def at_least_time(value: float) -> Message:
    """Return a time [s] that exceeds a limit, rounded up; "?" where it is not known, which exceeds every limit."""
    short = math.isfinite(value) and not in_minutes(value, math.ceil)
    return say("{n} s", n=at_least(value)) if short else duration(value, math.ceil)


def reached(value: float) -> str:
    """Return a figure that is reached, rounded down: typed as a floor it is kept. Whole from 10 on, else to 0.1."""
    return f"{math.floor(value)}" if value >= 10 else f"{math.floor(10 * value) / 10:.1f}"


def reached_wait(value: float) -> str:
    """Return a wait that is kept, rounded up: typed as a limit it is kept. Whole from 10 s on, else to 0.01 s."""
    return f"{math.ceil(value)}" if value >= 10 else f"{math.ceil(100 * value) / 100:.2f}"


def reached_time(value: float) -> Message:
    """Return a wait [s] that is kept, rounded up, as people say it; "?" where it is not known."""
    short = math.isfinite(value) and not in_minutes(value, math.ceil)
    return say("{n} s", n=reached_wait(value)) if short else duration(value, math.ceil)


def kept_floor(value: float) -> str:
    """Return a floor to be typed that a figure keeps: two digits, rounded down from 1 % below it.

    A candidate is judged by the sweep, whose figures differ from those of its plan by less.
    """
    return f"{_two_digits(0.99 * value, math.floor):g}"


def kept_limit(value: float) -> str:
    """Return a limit to be typed that a figure keeps: two digits, rounded up from 1 % above it."""
    return f"{_two_digits(1.01 * value, math.ceil):g}"


def _two_digits(value: float, rounded: Callable[[float], int]) -> float:
    """Return a number of two significant digits, rounded one way; the rounding of floats adds nothing below them."""
    exponent = math.floor(math.log10(value)) - 1
    step = 10.0**exponent
    return round(rounded(round(value / step, 6)) * step, max(0, -exponent))
