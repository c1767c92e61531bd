"""Whole plans side by side: a row for each fact, a column for each plan, and bars."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.message import Message, say
from gyakusan.planning.predict.speed import Estimate
from gyakusan.planning.select.side_by_side import ComparedPlan, p_better_than_first
from gyakusan.show.compare import CHART, HEAD_TEXTS, Shown
from gyakusan.show.request_line import SCORE_TEXTS
from gyakusan.show.tree import Cell, Column, IntervalBar, Part, Pause, Section, Table, Text, Title, Tree, Words
from gyakusan.show.wording import brief, command, interval, points
from gyakusan.units import GIB, format_bytes

ROW_TEXTS = (
    "model",
    "engine",
    "machine",
    "GiB",
    "tokens/s",
    "first s",
    "quality",
    "better than the first",
    "JPY",
    "watts",
)


def screen(sides: Sequence[ComparedPlan]) -> Tree:
    """Return the table, two charts, the commands."""
    parts: list[Part] = [_table(sides)]
    if any(s.pace for s in sides):
        parts += [Pause(), *_chart(sides, "decode"), Pause(), *_chart(sides, "prefill")]
    for side in sides:
        if side.command is not None:
            parts.append(Section(Title(f"{side.title}:"), (command(side.command),)))
    return tuple(parts)


def _table(sides: Sequence[ComparedPlan]) -> Table:
    chances = p_better_than_first(sides)
    cells = zip(*(_cells(s, p) for s, p in zip(sides, chances, strict=True)), strict=True)
    rows = tuple((Message(name), *row) for name, row in zip(ROW_TEXTS, cells, strict=True))
    return Table((Column(), *(Column(s.title) for s in sides)), rows)


def _cells(side: ComparedPlan, chance: float | None) -> tuple[Words, ...]:
    """One column."""
    if side.ledger is None:
        return say("no plan"), *("-" for _ in ROW_TEXTS[1:])
    size: Words = f"{side.ledger.accounts[0].total / GIB:.1f}"
    if not side.fits:
        size = say("{size} ({short})", size=size, short=_short(side))
    quality: Words = "?"
    if side.score is not None:
        quality = say("{points} ({of})", points=points(side.score), of=Message(SCORE_TEXTS[side.column]))
    return (
        f"{side.model} {side.quantization}",
        side.ledger.engine.name,
        brief(side.machine),
        size,
        interval(side.pace if side.fits else None, "decode_each"),
        interval(side.pace if side.fits else None, "ttft"),
        quality,
        "-" if chance is None else f"{100 * chance:.0f} %",
        "-" if side.price is None else f"{side.price:,.0f}",
        "?" if side.power is None else f"{side.power:,.0f}",
    )


def _short(side: ComparedPlan) -> Message:
    accounts = side.ledger.accounts if side.ledger else ()
    return say("short by {n}", n=format_bytes(max((float(a.short_by) for a in accounts), default=0), 1))


def _chart(sides: Sequence[ComparedPlan], kind: Shown) -> Tree:
    """A bar for each plan with its interval."""
    figures = [figure(s, kind) for s in sides]
    scale = max((f.high for f in figures if f), default=1.0)
    rows = tuple(_bar(s.title, f, scale) for s, f in zip(sides, figures, strict=True))
    return Title(Message(HEAD_TEXTS[kind])), Table(CHART, rows)


def _bar(title: str, figure: Estimate | None, scale: float) -> tuple[Cell, ...]:
    if figure is None:
        return title, "-", "", ""
    bar = IntervalBar(figure.low, figure.value, figure.high, scale)
    return title, f"{figure.value:,.0f}", bar, Text(f"{figure.low:,.0f}-{figure.high:,.0f}", "note")


def figure(side: ComparedPlan, kind: Shown) -> Estimate | None:
    """Return a speed of a plan, None if it does not fit or is not known."""
    if side.pace is None or not side.fits:
        return None
    return side.pace.decode_each if kind == "decode" else side.pace.prefill
