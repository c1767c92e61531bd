"""Measured speeds and times as screens have them."""

from __future__ import annotations


def speed_words(value: float) -> str:
    """Return a speed as people read it."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def seconds_words(value: float) -> str:
    """Return a time as people read it."""
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}" if value >= 0.01 else "<0.01"


def short_words(value: float) -> str:
    """Return a figure with no more digits than are needed."""
    return f"{value:,.0f}" if value >= 9.95 or value == int(value) else f"{value:.1f}"
