"""An answer outside the terminal: its screen with charts as one page, a part of a notebook, or a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct, structs

from gyakusan.core.ledger import Account, Ledger
from gyakusan.message import Message, say
from gyakusan.planning.fleet.recommend import FleetAnswer
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.side_by_side import ComparedPlan
from gyakusan.show import html, plan_spots
from gyakusan.show.charts.drawing import NARROW, stacked, told
from gyakusan.show.charts.frontier import Spot, frontier
from gyakusan.show.charts.intervals import Interval, intervals
from gyakusan.show.charts.memory_bar import label, legend, memory_bar
from gyakusan.show.charts.style import alone, rules
from gyakusan.show.compare import HEAD_TEXTS, Compared, Shown, measured, short_by, short_name, speed
from gyakusan.show.inspect import Inspected
from gyakusan.show.ledger_table import device_names, ledger_table
from gyakusan.show.side_by_side import figure_of, measured_of, titled
from gyakusan.show.tree import Question, Table, Tell, Tree, Verdict, Words

PAGE, FILE, MARGIN = 880, 760, 16
"""Widths of a chart on a page of a report and in a file, and the margin in a file. [user units]"""
Draw: TypeAlias = Callable[[Tell, float], str]


class Picture(Struct, frozen=True):
    """One chart of an answer.

    head: what it shows, "" where one head is enough for all
    draw: makes it, in a language and of a width
    """

    head: Words
    draw: Draw


class Report(Struct, frozen=True):
    """An answer with its charts.

    title: the command and its subject
    screen: what the terminal shows
    pictures: its charts, in reading order
    tables: what follows the screen on a page: the ledger line by line
    """

    title: Words
    screen: Tree
    pictures: tuple[Picture, ...]
    tables: Tree = ()


def inspect_report(found: Inspected, screen: Tree) -> Report:
    """Return the report of one model on one machine: a bar for each device that holds some of it, and every line."""
    model = found.value.model
    title = f"gyakusan inspect: {model.name} {model.quantization}"
    pictures = () if found.refusals else memory_pictures(found.value)
    return Report(title, screen, pictures, ledger_table(found.value))


def plan_report(found: Recommendation, screen: Tree, href: str = "", row: str = "") -> Report:
    """Return the report of plans: quality over price, or over memory where a machine is owned.

    href: where the circle of a plan leads, with {n} for its number; "" for nowhere
    row: where its number in the table leads, likewise
    """
    linked = (
        structs.replace(s, href=href.format(n=s.number)) if s.number and href else s for s in plan_spots.of_plans(found)
    )
    spots = tuple(linked)
    across, up = plan_spots.axes(found)
    screen = tuple(structs.replace(p, href=row) if isinstance(p, Table) and p.numbered else p for p in screen)
    return Report("gyakusan plan", screen, _scatter(spots, across, up))


def fleet_report(found: FleetAnswer, screen: Tree) -> Report:
    """Return the report of fleets: quality over the cost of a month."""
    across, up = plan_spots.fleet_axes(found)
    return Report("gyakusan fleet", screen, _scatter(plan_spots.of_fleets(found), across, up))


def compare_report(rows: Sequence[Compared], screen: Tree) -> Report:
    """Return the report of models on devices: for each model the speeds, then what each device holds."""
    pictures: list[Picture] = []
    for model in dict.fromkeys(r.model for r in rows):
        mine = [r for r in rows if r.model == model]
        if any(speed(r, "decode") for r in mine):
            pictures += [_speeds(model, kind, [_interval(r, kind) for r in mine]) for kind in HEAD_TEXTS]
    return Report("gyakusan compare", _keyed(screen), tuple(pictures))


def sides_report(sides: Sequence[ComparedPlan], screen: Tree) -> Report:
    """Return the report of whole plans side by side."""
    kinds = [k for k in HEAD_TEXTS if any(figure_of(s, k) for s in sides)]
    return Report(
        "gyakusan compare", _keyed(screen), tuple(_speeds("", k, [_side(s, k) for s in sides]) for k in kinds)
    )


def other_report(title: str, screen: Tree) -> Report:
    """Return the report of an answer that has no chart."""
    return Report(title, screen, ())


def memory_pictures(value: Ledger) -> tuple[Picture, ...]:
    """Return a bar with its legend for each device that holds some of the model; equal ones once."""
    named = list(zip(device_names(value), value.accounts, strict=True))
    held = [(name, a) for name, a in named if a.lines and float(a.at_most) > 0]
    held = [(name, a) for name, a in held if a.device.usable is not None] or held
    firsts = [i for i, (_, a) in enumerate(held) if all(a != other for _, other in held[:i])]
    alike = [[name for name, a in held if a == held[i][1]] for i in firsts]
    return tuple(Picture(_of(names), _bar_of(held[i][1])) for i, names in zip(firsts, alike, strict=True))


def _of(names: Sequence[str]) -> Words:
    """Return whose bar it is; several devices that hold the same share one."""
    return names[0] if len(names) == 1 else say("{first} and {n} more", first=names[0], n=len(names) - 1)


def page(report: Report, language: str, tell: Tell) -> str:
    """Return one HTML page that needs nothing else: no script, no font, no address."""
    head, charts, rest = _divided(report, tell)
    return html.page(told(report.title, tell), language, head, charts, tell, rest)


def body(report: Report, tell: Tell) -> str:
    """Return what a page of our own shows of it: the page's sheet has to hold `charts_sheet`."""
    head, charts, rest = _divided(report, tell)
    return html.body(head, charts, tell, rest)


def charts_sheet() -> str:
    """Return the rules of charts for a page that has the colours, and which of a chart's two widths is shown."""
    shown = ".narrow { display: none; } @media (max-width: 40rem) { .narrow { display: block; } .wide { display: none; } }\n"
    return rules() + shown


def fragment(report: Report, language: str, tell: Tell) -> str:
    """Return the same for a cell of a notebook."""
    head, charts, rest = _divided(report, tell)
    return html.fragment(language, head, charts, tell, rest)


def picture(report: Report, tell: Tell) -> str | None:
    """Return the charts as one SVG file with the answer's first sentence as its head, None where it has no chart."""
    if not report.pictures:
        return None
    head = next((s for part in report.screen if isinstance(part, Verdict) for s in part.sentences), report.title)
    said = told(head, tell).replace("*", "")
    drawn = [(told(p.head, tell), p.draw(tell, FILE)) for p in report.pictures]
    return alone(stacked(said, [(said, ""), *drawn], FILE, MARGIN))


def _divided(report: Report, tell: Tell) -> tuple[Tree, list[str], Tree]:
    """Return the parts before the charts, the charts, and the parts behind them."""
    at = next((i + 1 for i, part in enumerate(report.screen) if isinstance(part, Question)), 1)
    charts = [c for p in report.pictures for c in _figure(p, tell)]
    return report.screen[:at], charts, (*report.screen[at:], *report.tables)


def _figure(picture: Picture, tell: Tell) -> Iterator[str]:
    """Yield a chart twice: for a wide page and for a telephone; one of both is hidden, for screen readers too."""
    if picture.head:
        yield html.heading(picture.head, tell)
    for kind, width in (("wide", PAGE), ("narrow", NARROW)):
        yield f'<div class="{kind}">{picture.draw(tell, width)}</div>'


def _keyed(screen: Tree) -> Tree:
    """Return a screen whose key is that of the charts: the terminal's bars of blocks are not on a page."""
    key = say("dot: forecast, bar: 80 % interval, diamond: measured by others")

    def line(words: Words) -> Words:
        return key if isinstance(words, Message) and words.template.startswith("█") else words

    return tuple(Question(tuple(map(line, p.lines))) if isinstance(p, Question) else p for p in screen)


def _bar_of(account: Account) -> Draw:
    def draw(tell: Tell, width: float) -> str:
        both = [("", memory_bar(account, tell, width)), ("", legend(account, tell, width))]
        return stacked(told(label(account), tell, 2_000), both, width)

    return draw


def _scatter(spots: Iterable[Spot], across: Message, up: Message) -> tuple[Picture, ...]:
    drawn = tuple(spots)
    return (Picture("", lambda tell, width: frontier(drawn, across, up, tell, width)),) if drawn else ()


def _speeds(model: str, kind: Shown, rows: Sequence[Interval]) -> Picture:
    title = Message(HEAD_TEXTS[kind])
    head = say("{model}: {title}", model=model, title=title) if model else title
    return Picture(head, lambda tell, width: intervals(head, rows, tell, width))


def _interval(row: Compared, kind: Shown) -> Interval:
    found = speed(row, kind)
    if found is None:
        return Interval(short_name(row), reason="?" if row.ledger.fits else short_by(row.ledger))
    seen = measured(row, kind)
    return Interval(short_name(row), found.value, found.low, found.high, () if seen is None else (seen,))


def _side(side: ComparedPlan, kind: Shown) -> Interval:
    found = figure_of(side, kind)
    if found is None:
        return Interval(titled(side), reason="?" if side.fits else say("does not fit"))
    seen = measured_of(side, kind)
    return Interval(titled(side), found.value, found.low, found.high, () if seen is None else (seen,))
