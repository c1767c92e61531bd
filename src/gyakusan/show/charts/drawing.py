"""What every chart is made of: escaped words, numbers of coordinates, the frame, hatching without a pattern's id."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from math import floor, log10

from gyakusan.doors.text import line
from gyakusan.show.tree import FIXED, Tell, Words

WIDE, NARROW = 1110, 300
"""Widths of a chart on a wide page and on a telephone; each function takes any from NARROW on. [user units]"""
FULL, BROAD, CAPITAL, LETTER, SLIM = 12.0, 12.8, 9.7, 8.5, 5.6
"""Widths of letters at 12 units in the broadest usual font (DejaVu Sans Bold): Japanese, "m", "R", "a" and "i". [user units]"""
_BROAD, _SLIM = frozenset("mwMW%@±→"), frozenset("iljtf.,:;|!'()[] -/")
APART = 7
"""Distance between lines of a hatch. [user units]"""
LONGEST = 400
"""Of words in a chart. [characters]"""


def told(words: Words, tell: Tell, longest: int = LONGEST) -> str:
    """Return words in the reader's language on one line, without a character that steers or hides; not escaped."""
    return line(tell(words).replace(FIXED, " "), longest)


def frame(label: str, width: float, height: float, parts: Iterable[str], *, role: str = "img", kind: str = "") -> str:
    """Return an SVG. label: one sentence that says what it shows; kind: a class besides "chart"; parts are SVG of ours."""
    classes = f"chart {kind}".rstrip()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{classes}" role="{role}" aria-label="{escape(label)}" '
        f'viewBox="0 0 {at(width)} {at(height)}" width="{at(width)}" height="{at(height)}">{"".join(parts)}</svg>'
    )


def at(value: float) -> str:
    """Return a coordinate, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def rect(x: float, y: float, width: float, height: float, kind: str, *, more: str = "", title: str = "") -> str:
    """Return a rectangle. kind: its classes; more: other attributes; title: what a pointer on it is told."""
    inner = f"<title>{escape(title)}</title>" if title else ""
    place = f'x="{at(x)}" y="{at(y)}" width="{at(max(width, 0.0))}" height="{at(height)}"'
    return f'<rect {place} class="{kind}"{" " + more if more else ""}>{inner}</rect>'


def path(d: str, kind: str) -> str:
    """Return a path of lines. kind: its classes."""
    return f'<path d="{d}" class="{kind}"/>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return words at a place. kind: its classes; anchor: start, middle or end."""
    return f'<text x="{at(x)}" y="{at(y)}"{_class(kind)}{_anchor(anchor)}>{escape(words)}</text>'


def within(x: float, words: str, width: float, anchor: str = "middle") -> tuple[float, str]:
    """Return where words stand so that they stay inside the width: the place and its anchor."""
    room = extent(words)
    left = x - {"start": 0.0, "middle": room / 2, "end": room}[anchor]
    if left < 0:
        return 0.0, "start"
    return (width, "end") if left + room > width else (x, anchor)


def extent(words: str) -> float:
    """Return the most room that words take at 12 units, in the fonts that systems have [user units]."""
    return sum(map(_letter, words))


def _letter(c: str) -> float:
    if c in _BROAD:
        return BROAD
    if c in _SLIM:
        return SLIM
    if not c.isascii() and unicodedata.east_asian_width(c) in "WFA":
        return FULL
    return CAPITAL if c.isupper() else LETTER


def wrapped(words: str, room: float) -> list[str]:
    """Return words as lines that take no more room than that: broken at blanks, or between Japanese letters."""
    lines, current = [], ""
    for piece in re.findall(r"[ -~±]+?(?: |$)|[ -~±]+|.", words):
        if current and extent((current + piece).rstrip()) > room:
            lines.append(current.rstrip())
            current = ""
        current += piece
    return [*lines, current.rstrip()] if current else lines


def cut(words: str, room: float) -> str:
    """Return words that take no more room than that, with dots for what is left out. room: [user units]."""
    if extent(words) <= room:
        return words
    kept = words
    while kept and extent(kept + "...") > room:
        kept = kept[:-1]
    return kept.rstrip() + "..." if kept else ""


def plain(value: float) -> str:
    """Return a figure of an axis, never with an exponent: whole from 100 on, else with up to four digits."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    places = max(0, 3 - floor(log10(abs(value))))
    return f"{value:.{places}f}".rstrip("0").rstrip(".")


def round_step(highest: float, ticks: int) -> float:
    """Return a round distance between grid lines: 1, 2 or 5 times a power of ten."""
    raw = max(highest, 1e-9) / ticks
    base = 10.0 ** floor(log10(raw))
    return next(m * base for m in (1, 2, 5, 10) if raw <= m * base * (1 + 1e-9))


def stacked(label: str, charts: Sequence[tuple[str, str]], width: float, margin: float = 0.0) -> str:
    """Return one SVG of several, one below the other. charts: a head, "" for none, and an SVG of this width, "" for none."""
    y, parts = margin, []
    for head, chart in charts:
        for words in wrapped(head, width):
            parts.append(text(margin, y + 14, cut(words, width), "strong"))
            y += 18
        y += 10 if head else 0
        height = re.match(r'<svg [^>]* height="([\d.]+)">', chart)
        if height:
            place = f'<svg x="{at(margin)}" y="{at(y)}" class="part'
            parts.append(chart.replace('<svg xmlns="http://www.w3.org/2000/svg" class="chart', place, 1))
            y += float(height[1]) + 12
    return frame(label, width + 2 * margin, max(y - 12, 1.0) + margin, parts, kind="stacked")


def hatch(x: float, y: float, width: float, height: float) -> str:
    """Return the d of slanted lines that fill a rectangle exactly, "" for one without room."""
    if width < 0.5:
        return ""
    parts = []
    start = x - height + APART / 2
    while start < x + width:
        left, right = max(start, x), min(start + height, x + width)
        if right > left:
            parts.append(
                f"M{at(left)} {at(y + height - (left - start))}L{at(right)} {at(y + height - (right - start))}"
            )
        start += APART
    return "".join(parts)


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _anchor(anchor: str) -> str:
    return "" if anchor == "start" else f' text-anchor="{anchor}"'
