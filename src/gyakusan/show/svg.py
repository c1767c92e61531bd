"""Charts as SVG text: lines of points over a load, readable without colour and by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from msgspec import Struct

WIDTH, HEIGHT = 640, 280
"""Of a chart. [px]"""
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 24, 44
"""Margins: axis on the left, names of the lines on the right. [px]"""
DASHES = ("", "6 4", "2 3", "10 4 2 4")
COLOURS = ("#0b5fa5", "#b3480c", "#3a7d2c", "#7a3d9a")
"""Told apart by dashes too."""
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
    parts = [f"<title>{escape(title)}</title>", *_grid(top, step, unit), *_loads(place, across)]
    for i, line in enumerate(drawn):
        parts += _line(line, i, place, top)
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" {box}>{"".join(parts)}</svg>'
    )


def _step(highest: float) -> float:
    """Return a round distance between grid lines."""
    raw = max(highest, 1e-9) / TICKS
    base = 10.0 ** floor(log10(raw))
    return next(m * base for m in (1, 2, 5, 10) if raw <= m * base)


def _grid(top: float, step: float, unit: str) -> list[str]:
    parts = [f'<text x="{LEFT}" y="{TOP - 8}" class="unit">{escape(unit)}</text>']
    for i in range(round(top / step) + 1):
        y = _y(i * step, top)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{i * step:,.4g}</text>')
    return parts


def _loads(place: dict[float, float], across: str) -> list[str]:
    y = HEIGHT - BOTTOM + 18
    parts = [f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{load:,.4g}</text>' for load, x in place.items()]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*parts, f'<text x="{middle:.0f}" y="{y + 18}" text-anchor="middle">{escape(across)}</text>']


def _line(line: Line, number: int, place: dict[float, float], top: float) -> list[str]:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    at = [(place[x], _y(y, top)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>']
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
    x, y = at[-1]
    return [
        *parts,
        f'<text x="{x + 10:.1f}" y="{y + 4 + 14 * number * (number > 1):.1f}" fill="{colour}">{escape(line.name)}</text>',
    ]


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
