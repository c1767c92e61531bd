"""Plans as circles: quality over price or memory, larger where they answer faster; the picks numbered, the rest grey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, hypot, sqrt

from msgspec import Struct

from gyakusan.core.quality import BOTTOM, TOP
from gyakusan.message import Listed, say
from gyakusan.show.charts.drawing import (
    WIDE,
    at,
    cut,
    extent,
    frame,
    path,
    plain,
    round_step,
    text,
    told,
    within,
    wrapped,
)
from gyakusan.show.tree import Tell, Words

NAMED = 480
"""From this width on, picks have their names; below it, numbers alone. [user units]"""
LEFT, RIGHT, ABOVE, BELOW = 36, 26, 56, 46
"""Margins; the largest circle stays inside the frame. [user units]"""
LEAST, LARGEST = 9.0, 24.0
"""Radius of a pick at least, and of any circle at most. [user units]"""
LINE = 16
"""Height of a label. [user units]"""
CLEAR = 4.0
"""Room above and below the circles, so that none covers a figure of an axis. [points]"""
NUMBER = 7.0
"""Half of the room of a number in its circle. [user units]"""
TOUCHING = 6.0
"""A label farther than this from its circle has a line to it. [user units]"""


class Spot(Struct, frozen=True):
    """One plan in the chart.

    name: of the model, as a label
    across: price or memory, in the unit of the axis
    quality: after the quantisation loss [points]
    error: one standard error of the quality [points]
    speed: of each user, None = not known [tokens/s]
    words: one line that says what it is, for a pointer on it and for readers of the screen
    number: of the pick in the list, 0 for the rest
    href: where a click leads, "" for nowhere; a path, a query, a fragment or an address of http
    """

    name: Words
    across: float
    quality: float
    error: float
    speed: float | None
    words: Words
    number: int = 0
    href: str = ""


class _Plot(Struct, frozen=True):
    """Where values stand.

    width: of the chart
    height: of the chart
    step: between ticks across
    most: right end of the axis
    floor: low end of the quality
    top: high end of the quality
    """

    width: float
    height: float
    step: float
    most: float
    floor: float
    top: float

    def x(self, across: float) -> float:
        return LEFT + (self.width - LEFT - RIGHT) * min(max(across / self.most, 0.0), 1.0)

    def y(self, quality: float) -> float:
        share = (min(max(quality, self.floor), self.top) - self.floor) / (self.top - self.floor)
        return self.height - BELOW - (self.height - ABOVE - BELOW) * share

    def radius(self, spot: Spot) -> float:
        drawn = (3 + 1.5 * sqrt(max(spot.speed or 0.0, 0.0))) * (1 if self.width >= NAMED else 0.6)
        return max(min(drawn, LARGEST), LEAST if spot.number else 2.0)


class _Box(Struct, frozen=True):
    """A place that is taken.

    left: of it
    top: of it
    right: of it
    bottom: of it
    """

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def frontier(spots: Sequence[Spot], across: Words, up: Words, tell: Tell, width: float = WIDE) -> str:
    """Return the chart. across, up: what the axes are, with their units."""
    plot = _plot(spots, width)
    picks = sorted((s for s in spots if s.number), key=lambda s: (-plot.radius(s), -s.number))
    rest = sorted((s for s in spots if not s.number), key=lambda s: -plot.radius(s))
    labels = list(_labels(_groups(picks, plot), plot, tell))
    joint = {p.number for group, _ in labels if len(group) > 1 for p in group}
    parts = [*_axes(plot, across, up, tell)]
    parts += [_linked(s, _rest(s, plot, tell), tell) for s in rest]
    parts += [_error(s, plot) for s in picks]  # below all circles: none crosses a number
    parts += [_linked(s, _pick(s, plot, tell, numbered=s.number not in joint), tell) for s in picks]
    parts += [part for _, drawn in labels for part in drawn]
    picks = sorted(picks, key=lambda s: s.number)
    said = Listed(tuple(say("{number}: {plan}", number=s.number, plan=s.words) for s in picks))
    label = told(say("{up}, {across}: {plans}", up=up, across=across, plans=said), tell, 4_000)
    role = "group" if any(_address(s) for s in spots) else "img"
    return frame(label, width, plot.height, parts, role=role, kind="frontier")


def _plot(spots: Sequence[Spot], width: float) -> _Plot:
    """Return the scales: across from 0, quality from ten to ten."""
    most = max((s.across for s in spots), default=1.0)
    most = most if most > 1e-6 else 1.0
    step = round_step(most, 5 if width >= NAMED else 3)
    low = min((s.quality - (s.error if s.number else 0) for s in spots), default=0.0)
    high = max((s.quality + (s.error if s.number else 0) for s in spots), default=TOP)
    bottom, top = max(floor((low - CLEAR) / 10) * 10, BOTTOM), min(ceil((high + CLEAR) / 10) * 10, TOP)
    if top <= bottom:
        bottom, top = (bottom, bottom + 10) if bottom < TOP else (TOP - 10, TOP)
    height = 430.0 if width >= NAMED else 300.0
    return _Plot(width, height, step, ceil(most / step - 1e-9) * step, float(bottom), float(top))


def _axes(plot: _Plot, across: Words, up: Words, tell: Tell) -> Iterator[str]:
    """Yield grid lines with their figures, the names of the axes and what sizes mean."""
    yield text(0, 12, cut("↑ " + told(up, tell), plot.width))
    caption = told(say("larger circles answer faster; bars: error of the quality"), tell)
    yield from (text(0, 28 + LINE * i, line) for i, line in enumerate(wrapped(caption, plot.width)[:2]))
    steps = round_step(plot.top - plot.floor, 5)
    for i in range(round((plot.top - plot.floor) / steps) + 1):
        y = plot.y(plot.floor + i * steps)
        yield path(f"M{LEFT} {at(y)}H{at(plot.width - RIGHT)}", "rule")
        yield text(LEFT - 8, y + 4, f"{plain(plot.floor + i * steps)}", anchor="end")
    base = plot.height - BELOW + 18
    for i in range(round(plot.most / plot.step) + 1):
        words = f"{i * plot.step:,.6g}" if plot.step < 1 else f"{i * plot.step:,.0f}"
        x, anchor = within(plot.x(i * plot.step), words, plot.width)
        yield text(x, base, words, anchor=anchor)
    yield text(plot.width - RIGHT, base + 20, cut(told(across, tell), plot.width - 50) + " →", anchor="end")


def _rest(spot: Spot, plot: _Plot, tell: Tell) -> str:
    return _circle(spot, plot, "rest", tell)


def _error(spot: Spot, plot: _Plot) -> str:
    x = at(plot.x(spot.across))
    return path(f"M{x} {at(plot.y(spot.quality - spot.error))}L{x} {at(plot.y(spot.quality + spot.error))}", "error")


def _pick(spot: Spot, plot: _Plot, tell: Tell, *, numbered: bool) -> str:
    """Return a circle with its number, which stands beside it where circles meet."""
    number = (
        text(plot.x(spot.across), plot.y(spot.quality) + 4, str(spot.number), "number", "middle") if numbered else ""
    )
    return _circle(spot, plot, "pick", tell) + number


def _circle(spot: Spot, plot: _Plot, kind: str, tell: Tell) -> str:
    place = f'cx="{at(plot.x(spot.across))}" cy="{at(plot.y(spot.quality))}" r="{at(plot.radius(spot))}"'
    return f'<circle {place} class="{kind}"><title>{escape(told(spot.words, tell))}</title></circle>'


def _linked(spot: Spot, drawn: str, tell: Tell) -> str:
    """Return a circle as a link, if it has an address."""
    href = _address(spot)
    if not href:
        return drawn
    number = f"{spot.number} " if spot.number else ""  # what is seen is a part of what is read aloud
    return f'<a href="{escape(href)}" aria-label="{number}{escape(told(spot.words, tell))}">{drawn}</a>'


def _address(spot: Spot) -> str:
    """Return the address of a spot, "" for one that is no path and no address of http: nothing here runs a script."""
    href = told(spot.href, str, 2_000)
    ours = href.startswith(("/", "#", "?")) and not href.startswith("//")
    return href if ours or href.startswith(("http://", "https://")) else ""


def _groups(picks: Sequence[Spot], plot: _Plot) -> list[list[Spot]]:
    """Return the picks in groups whose circles hide each other's number; most stand alone. Numbers go up in each."""
    groups: list[list[Spot]] = []
    for pick in sorted(picks, key=lambda p: p.number):
        near = [g for g in groups if any(_hides(pick, p, plot) for p in g)]
        groups = [*(g for g in groups if g not in near), [*(p for g in near for p in g), pick]]
    return sorted((sorted(g, key=lambda p: p.number) for g in groups), key=lambda g: g[0].number)


def _hides(one: Spot, other: Spot, plot: _Plot) -> bool:
    """Return True where the smaller of two circles, which is drawn later, would cover the number of the larger one."""
    aside = plot.x(one.across) - plot.x(other.across)
    apart = hypot(aside, plot.y(one.quality) - plot.y(other.quality))
    return apart < min(plot.radius(one), plot.radius(other)) + NUMBER


def _labels(groups: Sequence[Sequence[Spot]], plot: _Plot, tell: Tell) -> Iterator[tuple[Sequence[Spot], list[str]]]:
    """Yield the label of each group with a line to it where it stands apart: names, and numbers of circles that meet.

    A group without a free place has none.
    """
    taken = [_around(p, plot) for g in groups for p in g]
    for group in sorted(groups, key=lambda g: (len(g) == 1, g[0].number)):  # numbers first: they have no other place
        names = list(dict.fromkeys(told(p.name, tell) for p in group)) if plot.width >= NAMED else []
        numbers = ", ".join(str(p.number) for p in group) if len(group) > 1 else ""
        words, room = " ".join(filter(None, (numbers, ", ".join(names)))), plot.width / 4
        words = words if extent(words) <= room else numbers  # a name is never cut: the table has it whole
        if not words or (numbers and not words.startswith(numbers)):
            continue
        places = ((b, p) for p in group for b in _places(words, p, plot))
        found = next(((b, p) for b, p in places if not any(b.meets(t) for t in taken)), None)
        if found is not None:
            box, spot = found
            taken.append(box)
            yield group, [*_leader(box, spot, plot), _named(box, words, plot.x(spot.across))]


def _named(box: _Box, words: str, x: float) -> str:
    """Return the words at the side of their box that is nearest to the circle: most fonts need less than the room."""
    places = ((box.left, "start"), (box.right, "end"), ((box.left + box.right) / 2, "middle"))
    place, anchor = places[0 if box.left >= x else 1 if box.right <= x else 2]
    return text(place, box.bottom - 4, words, "strong halo", anchor)


def _leader(box: _Box, spot: Spot, plot: _Plot) -> Iterator[str]:
    """Yield a line from a circle to its label, where another thing could stand between them."""
    x, y, r = plot.x(spot.across), plot.y(spot.quality), plot.radius(spot)
    to_x, to_y = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
    apart = hypot(to_x - x, to_y - y)
    if apart > r + TOUCHING:
        yield path(
            f"M{at(x + (to_x - x) * r / apart)} {at(y + (to_y - y) * r / apart)}L{at(to_x)} {at(to_y)}", "leader"
        )


def _around(spot: Spot, plot: _Plot) -> _Box:
    x, y, r = plot.x(spot.across), plot.y(spot.quality), plot.radius(spot)
    return _Box(x - r, y - r, x + r, y + r)


def _places(words: str, spot: Spot, plot: _Plot) -> Iterator[_Box]:
    """Yield places for a label inside the chart: right, left, above, below, then farther above and below."""
    x, y, r = plot.x(spot.across), plot.y(spot.quality), plot.radius(spot) + 4
    room = extent(words)
    middle, half = x - room / 2, LINE / 2
    corners = [(x + r, y - half), (x - r - room, y - half), (middle, y - r - LINE), (middle, y + r)]
    for n in range(1, 5):
        corners += [(x + r, y - half - n * LINE), (x + r, y - half + n * LINE)]
        corners += [(x - r - room, y - half - n * LINE), (x - r - room, y - half + n * LINE)]
    for left, top in corners:
        box = _Box(left, top, left + room, top + LINE)
        if (
            box.left >= LEFT
            and box.right <= plot.width
            and box.top >= ABOVE - LINE
            and box.bottom <= plot.height - BELOW + 4
        ):
            yield box
