"""Charts as SVG text: lines of points over a load, readable without colour and by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from gyakusan.doors.text import line as clean
from gyakusan.show.charts.drawing import at, cut, extent, frame, path, plain, round_step, text, within

WIDTH, HEIGHT = 640, 280
"""Of a chart. [px]"""
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 24, 44
"""Margins: axis on the left, names of the lines on the right. [px]"""
BESIDE, NARROW_RIGHT = 480, 16
"""From this width on names stand on the right; below it, under the chart, and the margin on the right. [user units]"""
NAME, NAME_BELOW = 14, 20
"""Height of a name beside the lines, and of one below the chart. [user units]"""
KINDS = 4
"""Classes of lines, told apart by dashes too."""
TICKS = 5


class Line(Struct, frozen=True):
    """One line of a chart.

    name: what it shows
    points: load and figure of each point, in order of the load
    """

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, across: str, unit: str, lines: Sequence[Line], width: float = WIDTH) -> str:
    """Return a chart, "" for fewer than two points or nothing but zeros. across: name of the load; unit: of the figures."""
    drawn = [line for line in lines if len(line.points) > 1]
    if not any(y for line in drawn for _, y in line.points):
        return ""
    loads = sorted({x for line in drawn for x, _ in line.points})
    step = round_step(max(y for line in drawn for _, y in line.points), TICKS)
    top = max(step, ceil(max(y for line in drawn for _, y in line.points) / step) * step)
    end = width - (RIGHT if width >= BESIDE else NARROW_RIGHT)
    place = {x: LEFT + (end - LEFT) * i / (len(loads) - 1) for i, x in enumerate(loads)}
    parts = [*_grid(top, step, unit, width, end), *_loads(place, across, width)]
    for i, line in enumerate(drawn):
        parts += _line(line, i, place, top)
    if width >= BESIDE:
        return frame(clean(title), width, HEIGHT, [*parts, *_names(drawn, place, top, width)], kind="lines")
    parts += [part for i, line in enumerate(drawn) for part in _name_below(line, i, width)]
    return frame(clean(title), width, HEIGHT + NAME_BELOW * len(drawn), parts, kind="lines")


def _name_below(line: Line, number: int, width: float) -> list[str]:
    y = HEIGHT + NAME_BELOW * number
    mark = path(f"M0 {at(y + 6)}H28", f"line{number % KINDS}")
    return [mark, text(36, y + 10, cut(clean(line.name), width - 36), f"f-line{number % KINDS}")]


def _grid(top: float, step: float, unit: str, width: float, end: float) -> list[str]:
    parts = [text(LEFT, TOP - 8, cut(clean(unit), width - LEFT))]
    for i in range(round(top / step) + 1):
        y, words = _y(i * step, top), plain(i * step)
        x, anchor = within(LEFT - 8, words, width, "end")
        parts += [path(f"M{LEFT} {at(y)}H{at(end)}", "rule"), text(x, y + 4, words, anchor=anchor)]
    return parts


def _loads(place: dict[float, float], across: str, width: float) -> list[str]:
    y, parts, free = HEIGHT - BOTTOM + 18, [], 0.0
    for load, middle in place.items():
        words = plain(load)
        x, anchor = within(middle, words, width)
        half = extent(words) / 2
        if middle - half >= free:
            parts.append(text(x, y, words, anchor=anchor))
            free = middle + half + 4
    end = max(place.values())
    return [*parts, text((LEFT + end) / 2, y + 18, cut(clean(across), width / 2), anchor="middle")]


def _line(line: Line, number: int, place: dict[float, float], top: float) -> list[str]:
    kind = number % KINDS
    points = [(place[x], _y(y, top)) for x, y in line.points]
    parts = [path("M" + "L".join(f"{at(x)} {at(y)}" for x, y in points), f"line{kind}")]
    return [*parts, *(f'<circle cx="{at(x)}" cy="{at(y)}" r="3" class="f-line{kind}"/>' for x, y in points)]


def _names(lines: Sequence[Line], place: dict[float, float], top: float, width: float) -> list[str]:
    """Return the names at the ends of the lines, none over another."""
    ends = sorted((_y(line.points[-1][1], top), n) for n, line in enumerate(lines))
    lowest = HEIGHT - BOTTOM + 4
    parts, free = [], float(TOP)
    for left, (end, n) in zip(range(len(ends) - 1, -1, -1), ends, strict=True):
        y = min(max(end + 4, free), lowest - NAME * left)
        free = y + NAME
        x = place[lines[n].points[-1][0]] + 10
        parts.append(text(x, y, cut(clean(lines[n].name), width - x), f"f-line{n % KINDS}"))
    return parts


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
