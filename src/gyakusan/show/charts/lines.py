"""Charts as SVG text: lines of points over a load, readable without colour and by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

from msgspec import Struct

from gyakusan.doors.text import line as clean
from gyakusan.show.charts.drawing import at, cut, frame, path, text

WIDTH, HEIGHT = 640, 280
"""Of a chart. [px]"""
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 24, 44
"""Margins: axis on the left, names of the lines on the right. [px]"""
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


def chart(title: str, across: str, unit: str, lines: Sequence[Line]) -> str:
    """Return a chart, "" where there are fewer than two points. across: name of the load; unit: of the figures."""
    drawn = [line for line in lines if len(line.points) > 1]
    if not drawn:
        return ""
    loads = sorted({x for line in drawn for x, _ in line.points})
    step = _step(max(y for line in drawn for _, y in line.points))
    top = max(step, ceil(max(y for line in drawn for _, y in line.points) / step) * step)
    place = {x: LEFT + (WIDTH - LEFT - RIGHT) * i / (len(loads) - 1) for i, x in enumerate(loads)}
    parts = [*_grid(top, step, unit), *_loads(place, across)]
    for i, line in enumerate(drawn):
        parts += _line(line, i, place, top)
    return frame(clean(title), WIDTH, HEIGHT, parts, kind="lines")


def _step(highest: float) -> float:
    """Return a round distance between grid lines."""
    raw = max(highest, 1e-9) / TICKS
    base = 10.0 ** floor(log10(raw))
    return next(m * base for m in (1, 2, 5, 10) if raw <= m * base)


def _grid(top: float, step: float, unit: str) -> list[str]:
    parts = [text(LEFT, TOP - 8, clean(unit))]
    for i in range(round(top / step) + 1):
        y = _y(i * step, top)
        parts.append(path(f"M{LEFT} {at(y)}H{WIDTH - RIGHT}", "rule"))
        parts.append(text(LEFT - 8, y + 4, f"{i * step:,.4g}", anchor="end"))
    return parts


def _loads(place: dict[float, float], across: str) -> list[str]:
    y = HEIGHT - BOTTOM + 18
    parts = [text(x, y, f"{load:,.4g}", anchor="middle") for load, x in place.items()]
    return [*parts, text((LEFT + WIDTH - RIGHT) / 2, y + 18, clean(across), anchor="middle")]


def _line(line: Line, number: int, place: dict[float, float], top: float) -> list[str]:
    kind = number % KINDS
    points = [(place[x], _y(y, top)) for x, y in line.points]
    parts = [path("M" + "L".join(f"{at(x)} {at(y)}" for x, y in points), f"line{kind}")]
    parts += [f'<circle cx="{at(x)}" cy="{at(y)}" r="3" class="f-line{kind}"/>' for x, y in points]
    x, y = points[-1]
    name = cut(clean(line.name), WIDTH - x - 10)
    return [*parts, text(x + 10, y + 4 + 14 * number * (number > 1), name, f"f-line{kind}")]


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
