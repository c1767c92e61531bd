"""Figures as dots on bars of their 80 % intervals, with what was measured as diamonds: sorted, linear from 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

from gyakusan.message import Listed, Message, say
from gyakusan.show.charts.drawing import at, cut, extent, frame, path, rect, text, told
from gyakusan.show.tree import Tell, Words
from gyakusan.show.wording import figure

BESIDE = 480
"""From this width on, names stand beside the bars; below it above them. [user units]"""
ROW, TALL_ROW = 30, 46
"""Height of a row with the name beside and above the bar. [user units]"""
SPACE = 12
"""Between name, bar and figures. [user units]"""
SHARE, MOST = 0.3, 0.75
"""Most of the width that names take beside the bars, and figures above them."""


class Interval(Struct, frozen=True):
    """One row.

    name: what the figure is of
    value: the figure, None where there is none
    low: low end of its 80 % interval
    high: high end of its 80 % interval
    measured: what others measured
    reason: said in place of a figure
    """

    name: Words
    value: float | None = None
    low: float = 0.0
    high: float = 0.0
    measured: tuple[float, ...] = ()
    reason: Words = "?"


def intervals(title: Words, rows: Sequence[Interval], tell: Tell, width: float) -> str:
    """Return the chart, the largest figure first. title: what the figures are, with their unit; it is read aloud only."""
    ranked = sorted(rows, key=lambda r: (r.value is None, -(r.value or 0.0)))
    most = max((max(r.high, r.value or 0.0, *r.measured) for r in ranked if r.value is not None), default=0.0) or 1.0
    beside = width >= BESIDE and all(
        extent(told(r.name, tell)) <= SHARE * width for r in ranked
    )  # no name is cut there
    parts = (_beside if beside else _below)(ranked, most, tell, width)
    height = (ROW if beside else TALL_ROW) * max(len(ranked), 1)
    return frame(told(_label(title, ranked), tell, 4_000), width, height, parts, kind="intervals")


def _label(title: Words, rows: Sequence[Interval]) -> Message:
    return say("{title}: {parts}", title=title, parts=Listed(tuple(map(_said, rows))))


def _said(row: Interval) -> Message:
    """Return one row as words."""
    if row.value is None:
        return say("{name}: {reason}", name=row.name, reason=row.reason)
    facts = {"name": row.name, "n": figure(row.value), "low": figure(row.low), "high": figure(row.high)}
    return say("{name} {n} ({low}-{high})", **facts)


def _figures(row: Interval, tell: Tell) -> tuple[str, str]:
    """Return the figure and its range as they are drawn."""
    if row.value is None:
        return "", told(row.reason, tell)
    return figure(row.value), f"{figure(row.low)}-{figure(row.high)}"


def _beside(rows: Sequence[Interval], most: float, tell: Tell, width: float) -> Iterator[str]:
    """Yield rows with the name on the left, the bar in the middle, figures on the right."""
    names = [told(r.name, tell) for r in rows]
    figures = [_figures(r, tell) for r in rows]
    left = min(max(map(extent, names), default=0.0), SHARE * width) + SPACE
    room = min(max((extent(" ".join(f)) for f in figures), default=0.0), width / 2) + SPACE
    for i, (row, name, told_figures) in enumerate(zip(rows, names, figures, strict=True)):
        y = i * ROW + ROW / 2
        yield text(left - SPACE, y + 4, cut(name, left - SPACE), "strong", "end")
        yield from _bar(row, y, left, (width - room - left) / most, width - room)
        yield _pair(width - room + SPACE, y + 4, told_figures, room - SPACE, "start")


def _below(rows: Sequence[Interval], most: float, tell: Tell, width: float) -> Iterator[str]:
    """Yield rows with name and figures above the bar, for a telephone."""
    for i, row in enumerate(rows):
        y, figures = i * TALL_ROW, _figures(row, tell)
        room = min(extent(" ".join(figures)), MOST * width)
        yield text(0, y + 14, cut(told(row.name, tell), width - room - SPACE), "strong")
        yield _pair(width, y + 14, figures, room, "end")
        yield from _bar(row, y + 31, 8, (width - 16) / most, width - 8)


def _bar(row: Interval, y: float, left: float, scale: float, right: float) -> Iterator[str]:
    yield path(f"M{at(left)} {at(y)}H{at(right)}", "rule")
    if row.value is None:
        return
    yield rect(left + row.low * scale, y - 5, (row.high - row.low) * scale, 10, "f-range", more='rx="5"')
    for seen in row.measured:
        yield path(f"M{at(left + seen * scale)} {at(y - 7)}l5 7l-5 7l-5 -7z", "seen")
    yield f'<circle cx="{at(left + row.value * scale)}" cy="{at(y)}" r="5.5" class="dot"/>'


def _pair(x: float, y: float, figures: tuple[str, str], room: float, anchor: str) -> str:
    """Return a figure in bold and its range, or the reason that there is none."""
    value, rest = figures
    if not value:
        return text(x, y, cut(rest, room), anchor=anchor)
    ends = "" if anchor == "start" else f' text-anchor="{anchor}"'
    inner = f'<tspan class="strong">{escape(value)}</tspan><tspan dx="6">{escape(rest)}</tspan>'
    return f'<text x="{at(x)}" y="{at(y)}"{ends}>{inner}</text>'
