"""Whole plans side by side: which is better and which is faster, bars with intervals, a column for each plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.message import Message, say
from gyakusan.planning.fleet.costs import full_price
from gyakusan.planning.predict.speed import Estimate
from gyakusan.planning.select.compared_device import speed_ratio
from gyakusan.planning.select.side_by_side import THIS_COMPUTER, ComparedPlan, p_better_than_first
from gyakusan.show.amounts import Amounts
from gyakusan.show.compare import HEAD_TEXTS, Shown, memory, middle, million_head, price_terms, times
from gyakusan.show.request_line import SCORE_TEXTS
from gyakusan.show.tree import Cell, Column, IntervalBar, Pause, Question, Table, Text, Tree, Verdict, Words, whole
from gyakusan.show.wording import brief, figure, first_token, quality
from gyakusan.units import GIB, format_bytes

MOST_CHARTED = 2
"""With more plans the chart of prompts is left out: the screen has 24 lines."""
SURELY = 0.9
"""A plan is called better from this probability on."""


def screen(sides: Sequence[ComparedPlan], amounts: Amounts) -> Tree:
    """Return the answer, two charts, and a table with a column for each plan."""
    charts: Tree = ()
    if any(s.pace for s in sides):
        prompts = (_chart(sides, "prefill"), Pause()) if len(sides) <= MOST_CHARTED else ()
        charts = (_chart(sides, "decode"), Pause(), *prompts)
    legend = (Question((say("█ estimate, ▒ up to the end of the 80 % interval"),)), Pause()) if charts else ()
    known = any(full_price(s, amounts.rates) is not None for s in sides)
    note = (Pause(), Text(price_terms(amounts), "note")) if known else ()
    return Verdict(tuple(_verdict(sides))), Pause(), *legend, *charts, _table(sides, amounts), *note


def _verdict(sides: Sequence[ComparedPlan]) -> Iterator[Message]:
    """Yield what the first plans differ in: quality, then speed; and what has no plan or does not fit."""
    holding = [s for s in sides if s.fits]
    for side in sides:
        if side.ledger is None:
            title = titled(side)
            yield say("{title} has no plan.", title=whole(title) if isinstance(title, str) else title)
        elif not side.fits:
            yield say("{title} does not fit.", title=whole(side.title))
    if len(holding) < 2:
        return
    first, second = holding[0], holding[1]
    chance = p_better_than_first(holding)[1]
    if chance is not None:
        yield _better(first, second, chance)
    faster = _faster(first, second)
    if faster is not None:
        yield faster


def titled(side: ComparedPlan) -> Words:
    """Return the title of a column in the reader's words."""
    return say("This computer") if side.title == THIS_COMPUTER else side.title


def _better(first: ComparedPlan, second: ComparedPlan, chance: float) -> Message:
    ahead, behind, sure = (second, first, chance) if chance >= 0.5 else (first, second, 1 - chance)
    facts = {"first": whole(ahead.title), "second": whole(behind.title), "n": f"{100 * min(sure, 0.99):.0f}"}
    if sure < SURELY:
        return say("{first} and {second} are equal in quality within the error.", **facts)
    return say("{first} beats {second} in quality with {n} % probability.", **facts)


def _faster(first: ComparedPlan, second: ComparedPlan) -> Message | None:
    one, two = figure_of(first, "decode"), figure_of(second, "decode")
    if one is None or two is None:
        return None
    ahead, behind = (first, second) if one.value >= two.value else (second, first)
    ratio = speed_ratio(max(one, two, key=lambda s: s.value), min(one, two, key=lambda s: s.value))
    if ratio is None:
        return None
    facts = {"first": whole(ahead.title), "second": whole(behind.title), "n": times(ratio.value)}
    facts |= {"low": times(ratio.low), "high": times(ratio.high)}
    if ratio.equal:
        return say("{first} and {second} are equal in speed within the error: {n} ({low}-{high}).", **facts)
    return say("{first} answers {n} ({low}-{high}) times as fast as {second}.", **facts)


def _table(sides: Sequence[ComparedPlan], amounts: Amounts) -> Table:
    heads = (
        say("model"),
        say("files"),
        say("machine"),
        say("server"),
        say("quality"),
        say("first token"),
        say("memory, GiB"),
        say("to spare, GiB"),
        say("price, {currency}", currency=Message(amounts.head)),
        say("power of the machine, W"),
        million_head(amounts),
    )
    cells = zip(*(_cells(s, amounts) for s in sides), strict=True)
    rows = tuple((head, *row) for head, row in zip(heads, cells, strict=True))
    return Table((Column(), *(Column(titled(s), "number") for s in sides)), rows, indent=1)


def _cells(side: ComparedPlan, amounts: Amounts) -> tuple[Words, ...]:
    """Return one column."""
    if side.ledger is None:
        return say("no plan"), *("-" for _ in range(10))
    score: Words = "?" if side.score is None else quality(side.score)
    if side.score is not None and side.column != "overall":
        score = say("{points} ({of})", points=score, of=Message(SCORE_TEXTS[side.column]))
    return (
        side.model,
        side.quantization,
        brief(side.machine),
        side.ledger.engine.name,
        score,
        first_token(side.pace if side.fits else None),
        memory(side.ledger),
        _spare(side),
        "-" if side.price is None else amounts.figure(side.price),
        "?" if side.wall is None else f"{side.wall:,.0f}",
        "-" if side.price is None or not side.fits else amounts.figure(full_price(side, amounts.rates)),
    )


def _spare(side: ComparedPlan) -> Words:
    left = None if side.ledger is None else side.ledger.tightest.spare
    if side.ledger is not None and not side.fits:
        missing = max((float(a.short_by) for a in side.ledger.accounts), default=0.0)
        return say("short by {n}", n=format_bytes(missing, 1))
    if left is None:
        return "?"
    return say("none sure") if left < 0 else f"{int(left / GIB * 10) / 10:.1f}"


def measured_of(side: ComparedPlan, kind: Shown) -> float | None:
    """Return the middle of what others measured for as many users, None where nobody did [tokens/s]."""
    if side.pace is None or side.ledger is None:
        return None
    return middle(side.pace, kind, int(side.ledger.load.users))


def _chart(sides: Sequence[ComparedPlan], kind: Shown) -> Table:
    """Return a bar for each plan with its interval."""
    figures = [figure_of(s, kind) for s in sides]
    scale = max((f.high for f in figures if f), default=1.0)
    columns = (
        Column(Message(HEAD_TEXTS[kind])),
        Column(kind="number"),
        Column(say("80 % range"), "number"),
        Column(kind="bar"),
        Column(say("measured by others"), "number", wide=True),
    )
    rows = tuple((*_bar(titled(s), f, scale), _seen(s, kind)) for s, f in zip(sides, figures, strict=True))
    return Table(columns, rows, indent=1)


def _bar(title: Words, found: Estimate | None, scale: float) -> tuple[Cell, ...]:
    if found is None:
        return title, "-", "", ""
    bar = IntervalBar(found.low, found.value, found.high, scale)
    return title, figure(found.value), Text(f"{figure(found.low)}-{figure(found.high)}", "note"), bar


def _seen(side: ComparedPlan, kind: Shown) -> str:
    found = measured_of(side, kind) if side.fits else None
    return "" if found is None else figure(found)


def figure_of(side: ComparedPlan, kind: Shown) -> Estimate | None:
    """Return a speed of a plan, None if it does not fit or is not known."""
    if side.pace is None or not side.fits:
        return None
    return side.pace.decode_each if kind == "decode" else side.pace.prefill
