"""Figures over time: one line for each series, a dashed line for what was said, names below so that any width has room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from msgspec import Struct

from gyakusan.message import Listed, say
from gyakusan.show.charts.drawing import WIDE, at, cut, extent, frame, path, plain, round_step, text, told, within
from gyakusan.show.tree import Tell, Words

LEFT, RIGHT, ABOVE = 56, 16, 28
"""Margins of the field. [user units]"""
FIELD = 170
"""Height of the field. [user units]"""
ROW = 20
"""Height of a row of names, and of the figures below the field. [user units]"""
KINDS = 4
"""Classes of lines, told apart by dashes too: no more series are drawn."""
TICKS = 4
SAID, LIMIT = "said", "limit"
"""Classes of the lines of what was said, and of its limit."""


class Series(Struct, frozen=True):
    """One line of the chart.

    name: what it shows
    points: time and figure of each point, in order of the time
    """

    name: Words
    points: Sequence[tuple[float, float]]


class Tick(Struct, frozen=True):
    """One mark of the time.

    at: the time
    words: how people read it
    """

    at: float
    words: Words


class _Field(Struct, frozen=True):
    """Where times and figures stand.

    first: time at the left end
    last: time at the right end
    top: figure at the upper end
    width: of the chart
    """

    first: float
    last: float
    top: float
    width: float

    def x(self, time: float) -> float:
        share = (time - self.first) / (self.last - self.first) if self.last > self.first else 1.0
        return LEFT + (self.width - LEFT - RIGHT) * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        return ABOVE + FIELD * (1 - min(max(value / self.top, 0.0), 1.0))


def timeline(
    unit: Words,
    series: Sequence[Series],
    ticks: Sequence[Tick],
    tell: Tell,
    width: float = WIDE,
    said: tuple[Words, float] | None = None,
    limit: tuple[Words, float] | None = None,
) -> str:
    """Return the chart, "" where there is no point.

    unit: of the figures; said: name and figure of what was said; limit: of what was said that it can reach
    """
    drawn = [s for s in series if s.points][:KINDS]
    if not drawn:
        return ""
    times = [t for s in drawn for t, _ in s.points] + [t.at for t in ticks]
    flat = [(kind, *line) for kind, line in ((SAID, said), (LIMIT, limit)) if line is not None]
    most = max([v for s in drawn for _, v in s.points] + [value for _, _, value in flat])
    step = round_step(most, TICKS)
    field = _Field(min(times), max(times), max(step, ceil(most / step - 1e-9) * step), width)
    names = [(f"line{i}", told(s.name, tell)) for i, s in enumerate(drawn)]
    names += [(kind, told(name, tell)) for kind, name, _ in flat]
    rows = _named(names, width)
    parts = [*_grid(field, step, told(unit, tell)), *_times(field, ticks, tell)]
    parts += [path(f"M{LEFT} {at(field.y(value))}H{at(width - RIGHT)}", kind) for kind, _, value in flat]
    for i, one in enumerate(drawn):
        parts += _line(one, i, field)
    below = ABOVE + FIELD + ROW + 8
    parts += [part for i, row in enumerate(rows) for part in _name_row(row, below + i * ROW)]
    label = told(_label(unit, drawn, [(name, value) for _, name, value in flat]), tell, 4_000)
    return frame(label, width, below + ROW * len(rows) + 4, parts, kind="timeline")


def _label(unit: Words, drawn: Sequence[Series], flat: Sequence[tuple[Words, float]]) -> Words:
    ends = [say("{name}: {value}", name=s.name, value=plain(s.points[-1][1])) for s in drawn]
    ends += [say("{name}: {value}", name=name, value=plain(value)) for name, value in flat]
    return say("{unit} over time; the last figures: {parts}", unit=unit, parts=Listed(tuple(ends)))


def _grid(field: _Field, step: float, unit: str) -> Iterator[str]:
    yield text(0, 14, cut(unit, field.width))
    for i in range(round(field.top / step) + 1):
        y = field.y(i * step)
        yield path(f"M{LEFT} {at(y)}H{at(field.width - RIGHT)}", "rule")
        yield text(LEFT - 6, y + 4, cut(plain(i * step), LEFT - 6), anchor="end")


def _times(field: _Field, ticks: Sequence[Tick], tell: Tell) -> Iterator[str]:
    """Yield the marks of the time, none over another and none of the same words; the last one always has its place."""
    y, free, later = ABOVE + FIELD + 16, field.width + 1.0, ""
    for tick in sorted(ticks, key=lambda t: -t.at):
        words = told(tick.words, tell)
        x, anchor = within(field.x(tick.at), words, field.width)
        left = x - {"start": 0.0, "middle": extent(words) / 2, "end": extent(words)}[anchor]
        if words != later and left + extent(words) <= free and left >= 0:
            yield text(x, y, words, anchor=anchor)
            free, later = left - 12, words


def _line(one: Series, number: int, field: _Field) -> Iterator[str]:
    places = [(field.x(t), field.y(v)) for t, v in one.points]
    if len(places) > 1:
        yield path("M" + "L".join(f"{at(x)} {at(y)}" for x, y in places), f"line{number}")
    marked = places if len(places) <= 40 else places[-1:]
    yield from (f'<circle cx="{at(x)}" cy="{at(y)}" r="3" class="f-line{number}"/>' for x, y in marked)


def _named(names: Sequence[tuple[str, str]], width: float) -> list[list[tuple[float, str, str]]]:
    """Return the names in rows: place, class and words of each."""
    rows: list[list[tuple[float, str, str]]] = [[]]
    x = 0.0
    for kind, words in names:
        shown = cut(words, width - 36)
        room = 36 + extent(shown) + 16
        if x and x + room - 16 > width:
            rows.append([])
            x = 0.0
        rows[-1].append((x, kind, shown))
        x += room
    return rows


def _name_row(row: Sequence[tuple[float, str, str]], y: float) -> Iterator[str]:
    for x, kind, words in row:
        yield path(f"M{at(x)} {at(y + 10)}H{at(x + 28)}", kind)
        yield text(x + 36, y + 14, words)
