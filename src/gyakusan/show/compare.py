"""Devices side by side: which is how many times as fast, bars with intervals, what is to spare, price and power."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from gyakusan.catalog.measured import Measurement
from gyakusan.core.ledger import Ledger
from gyakusan.message import Listed, Message, people, say
from gyakusan.planning.fleet.costs import CostTerms, full_price
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.planning.select.compared_device import DeviceFacts, speed_ratio
from gyakusan.show.amounts import Amounts
from gyakusan.show.tree import (
    Cell,
    Column,
    IntervalBar,
    Part,
    Pause,
    Question,
    Table,
    Text,
    Tree,
    Verdict,
    Words,
    whole,
)
from gyakusan.show.wording import brief, figure, gib, needed_gib, the
from gyakusan.units import GIB

Shown = Literal["decode", "prefill"]
HEAD_TEXTS: dict[Shown, str] = {"decode": "answer tokens/s", "prefill": "prompt tokens/s"}
MAX_SENTENCES = 2
"""Measurements that are told of."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One model on one device.

    model: its name in the catalogue
    device: its name in the catalogue
    ledger: memory on that device
    judged: speed and quality
    facts: price and power, None where they were not looked up
    """

    model: str
    device: str
    ledger: Ledger
    judged: Assessment
    facts: DeviceFacts | None = None

    @property
    def fits(self) -> bool:
        """True if it fits."""
        return self.ledger.fits

    @property
    def pace(self) -> SpeedEstimate | None:
        """Its speed, None = not known."""
        return self.judged.speed

    @property
    def price(self) -> float | None:
        """Price of the machine, None = not known [JPY]."""
        return None if self.facts is None else self.facts.price

    @property
    def wall(self) -> float | None:
        """What the machine takes from its socket at work, None = not known [W]."""
        return None if self.facts is None else self.facts.watts


def screen(rows: Sequence[Compared], amounts: Amounts) -> Tree:
    """Return for each model the answer, the question, two charts and a table."""
    parts: list[Part] = []
    for model in dict.fromkeys(r.model for r in rows):
        mine = [r for r in rows if r.model == model]
        known = any(speed(r, "decode") for r in mine)
        charts = [part for kind in HEAD_TEXTS for part in (chart(mine, kind), Pause())] if known else []
        seen = [Text(m, "note") for m in _measured(mine)]
        parts += [Pause()] if parts else []
        parts += [_verdict(model, mine), Pause(), _question(mine, drawn=known), Pause(), *charts, _table(mine, amounts)]
        parts += [Pause(), *seen] if seen else []
    if any(full_price(r, amounts.rates) is not None for r in rows):
        parts += [Pause(), Text(price_terms(amounts), "note")]
    return tuple(parts)


def times(ratio: float) -> str:
    """Return a ratio: two decimals below 2, one below 10."""
    return f"{ratio:.2f}" if ratio < 1.995 else f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def _verdict(model: str, rows: Sequence[Compared]) -> Verdict:
    """Return who holds the model, and how many times as fast the first is as the others."""
    holding = _ranked([r for r in rows if r.ledger.fits], "decode")
    name = whole(model)
    if not holding:
        return Verdict((say("{model} fits on none of these.", model=name),), say("fits on none"), "fails")
    fits = [] if len(holding) == len(rows) else [_only(name, holding)]
    compared = [m for m in (_comparison(name, holding),) if m is not None]
    told = (*fits, *compared) or (_only(name, holding),)
    return Verdict(told, say("fits") if fits or not compared else "", "fits")


def _only(model: str, holding: Sequence[Compared]) -> Message:
    return say("{model} fits on {names}.", model=model, names=Listed(tuple(the(r.device) for r in holding)))


def _comparison(model: str, ranked: Sequence[Compared]) -> Message | None:
    """Return the fastest against the next ones, None if there is no speed to compare."""
    first = speed(ranked[0], "decode")
    others = [(r, s) for r in ranked[1:] if (s := speed(r, "decode")) is not None]
    if first is None or not others:
        return None
    (second, slower), *rest = others
    ratio = speed_ratio(first, slower)
    if ratio is None:
        return None
    facts = {"model": model, "first": the(ranked[0].device), "second": the(second.device), "n": times(ratio.value)}
    facts |= {"low": times(ratio.low), "high": times(ratio.high)}
    if ratio.equal:
        template = "With {model}, {first} and {second} are equal within the error: {n} ({low}-{high})."
        return say(template, **facts)
    if not rest:
        return say("With {model}, {first} answers {n} ({low}-{high}) times as fast as {second}.", **facts)
    third, slowest = rest[-1]
    facts |= {"third": the(third.device), "more": times(first.value / slowest.value)}
    return say(
        "With {model}, {first} answers {n} ({low}-{high}) times as fast as {second} and {more} times as fast as {third}.",
        **facts,
    )


def short_name(row: Compared) -> str:
    """Return the name of a device without its maker."""
    return brief(row.device)


def _question(rows: Sequence[Compared], *, drawn: bool) -> Question:
    ledger, turn = rows[0].ledger, rows[0].judged.turn
    load = say(
        "{model} {files}, {people}, {context} tokens, prompts of {prompt}, {engine}",
        model=whole(rows[0].model),
        files=whole(ledger.model.quantization),
        people=people(int(ledger.load.users)),
        context=f"{int(ledger.load.context):,}",
        prompt=f"{int(turn.prompt):,}",
        engine=ledger.engine.name,
    )
    return Question((load, say("█ estimate, ▒ up to the end of the 80 % interval")) if drawn else (load,))


def chart(rows: Sequence[Compared], kind: Shown) -> Table:
    """Return one line for each device, best first; what does not fit is said, not drawn."""
    scale = max((s.high for r in rows if (s := speed(r, kind))), default=1.0)
    columns = (
        Column(Message(HEAD_TEXTS[kind])),
        Column(kind="number"),
        Column(say("80 % range"), "number"),
        Column(kind="bar"),
        Column(say("measured by others"), "number", wide=True),
    )
    return Table(columns, tuple(_bar(r, kind, scale) for r in _ranked(rows, kind)), indent=1)


def _ranked(rows: Sequence[Compared], kind: Shown) -> list[Compared]:
    return sorted(rows, key=lambda r: -(s.value if (s := speed(r, kind)) else 0.0))


def _bar(row: Compared, kind: Shown, scale: float) -> tuple[Cell, ...]:
    name, found = short_name(row), speed(row, kind)
    if not row.ledger.fits:
        return name, "-", Text(short_by(row.ledger), "bad"), "", ""
    if found is None:
        return name, "?", "?", "", ""
    seen = measured(row, kind)
    bar = IntervalBar(found.low, found.value, found.high, scale)
    interval = f"{figure(found.low)}-{figure(found.high)}"
    return name, figure(found.value), Text(interval, "note"), bar, "" if seen is None else figure(seen)


def short_by(value: Ledger) -> Message:
    """Return by how much a model does not fit, on the device that lacks most."""
    return say("short by {n}", n=f"{needed_gib(max(float(a.short_by) for a in value.accounts))} GiB")


def speed(row: Compared, kind: Shown) -> Estimate | None:
    """Return a speed, None where it is not known or the model does not fit."""
    found = row.judged.speed
    if found is None or not row.ledger.fits:
        return None
    return found.decode_each if kind == "decode" else found.prefill


def measured(row: Compared, kind: Shown) -> float | None:
    """Return the middle of what others measured for as many users, None where nobody did [tokens/s]."""
    return None if row.judged.speed is None else middle(row.judged.speed, kind, int(row.ledger.load.users))


def middle(pace: SpeedEstimate, kind: Shown, users: int) -> float | None:
    """Return the middle of what others measured for so many users, under any engine; None where nobody did [tokens/s]."""
    points = [p.figure for p in _points(pace, kind, users)]
    return median(points) if points else None


def _points(pace: SpeedEstimate, kind: Shown, users: int) -> list[Measurement]:
    return [p for p in pace.points if p.kind == kind and p.users == users]


def _measured(rows: Sequence[Compared]) -> Iterator[Message]:
    """Yield whether what others measured lies inside the interval."""
    told = [r for r in rows if measured(r, "decode") is not None]
    for row in told[:MAX_SENTENCES]:
        seen, found, pace = measured(row, "decode"), speed(row, "decode"), row.judged.speed
        if seen is None or found is None or pace is None:
            continue
        engines = ", ".join(sorted({p.engine for p in _points(pace, "decode", int(row.ledger.load.users))}))
        facts = {"device": whole(short_name(row)), "n": figure(seen), "engines": engines}
        if found.low <= seen <= found.high:
            yield say("{device}: others measured {n} tokens/s with {engines}, inside the interval.", **facts)
        else:
            yield say("{device}: others measured {n} tokens/s with {engines}, outside the interval.", **facts)


def _table(rows: Sequence[Compared], amounts: Amounts) -> Table:
    """Return a column for each device: what is to spare, what it costs, what it takes."""
    columns = (Column(), *(Column(short_name(r), "number") for r in rows))
    facts: list[tuple[Cell, ...]] = [
        (say("memory, GiB"), *(memory(r.ledger) for r in rows)),
        (say("to spare, GiB"), *(_spare(r) for r in rows)),
    ]
    if any(r.facts for r in rows):
        facts.append((_price_head(amounts), *(_price(r, amounts) for r in rows)))
        facts.append((say("power of the machine, W"), *(_power(r) for r in rows)))
        facts.append((million_head(amounts), *(_million(r, amounts) for r in rows)))
    return Table(columns, tuple(facts), indent=1)


def memory(value: Ledger) -> str:
    """Return what a model takes on its devices [GiB]."""
    return gib(on_devices(value))


def on_devices(value: Ledger) -> float:
    """Return what a model takes on its GPUs together, in RAM where it has none [B]."""
    taken = [float(a.total) for a in value.accounts if a.device.kind != "host" and a.lines]
    return sum(taken) if taken else sum(float(a.total) for a in value.accounts)


def _million(row: Compared, amounts: Amounts) -> str:
    return amounts.figure(full_price(row, amounts.rates)) if row.ledger.fits else "-"


def million_head(amounts: Amounts) -> Message:
    """Return the head of the row of such prices."""
    return say("a million answer tokens, {currency}", currency=Message(amounts.head))


def price_terms(amounts: Amounts) -> Message:
    """Return what such prices are computed with."""
    terms = CostTerms()
    return say(
        "A million answer tokens: machine and electricity of {months} months at {tariff}/kWh, always busy.",
        months=f"{terms.months:g}",
        tariff=amounts.tariff(terms.tariff),
    )


def _price_head(amounts: Amounts) -> Message:
    return say("price, computer, {currency}", currency=Message(amounts.head))


def _spare(row: Compared) -> Words:
    left = row.ledger.tightest.spare
    if left is None:
        return "?"
    if not row.ledger.fits:
        return say("short")
    return say("none sure") if left < 0 else f"{int(left / GIB * 10) / 10:.1f}"


def _price(row: Compared, amounts: Amounts) -> Words:
    if row.facts is None or row.facts.price is None:
        return "?"
    price = amounts.figure(row.facts.price)
    return say("{amount} used", amount=price) if row.facts.used else price


def _power(row: Compared) -> str:
    return "?" if row.facts is None or row.facts.watts is None else f"{row.facts.watts:,.0f}"
