"""What every chart is made of: escaped words, numbers of coordinates, the frame, hatching without a pattern's id."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape

from gyakusan.doors.text import line
from gyakusan.show.tree import FIXED, Tell, Words

WIDE, NARROW = 1110, 300
"""Widths of a chart on a wide page and on a telephone; each function takes any from NARROW on. [user units]"""
LETTER = 7.4
"""Most that a Latin letter takes at 12 units, in bold; a Japanese one takes 12. [user units]"""
FULL = 12.0
"""Width of a Japanese letter. [user units]"""
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
    return sum(FULL if unicodedata.east_asian_width(c) in "WFA" else LETTER for c in words)


def cut(words: str, room: float) -> str:
    """Return words that take no more room than that, with dots for what is left out. room: [user units]."""
    if extent(words) <= room:
        return words
    kept = words
    while kept and extent(kept + "...") > room:
        kept = kept[:-1]
    return kept.rstrip() + "..." if kept else ""


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
