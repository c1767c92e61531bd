"""What a running server does now."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import TYPE_CHECKING

from gyakusan.message import Message, say
from gyakusan.serving.front.metrics import SECONDS
from gyakusan.show.charts.drawing import WIDE
from gyakusan.show.charts.timeline import Series, Tick, timeline
from gyakusan.show.ledger import PART_TEXTS
from gyakusan.show.tree import Column, Fact, Facts, Pause, Table, Tell, Text, Tree, Verdict, Words, whole
from gyakusan.show.wording import counted_later, gib, short
from gyakusan.units import MIB

if TYPE_CHECKING:
    from gyakusan.machines.detect.system import GpuMemory
    from gyakusan.serving.observed import Observed, Rates

HEAD_TEXTS = ("device", "memory", "GiB planned", "GiB at most")
MEMORY_TEXTS = {
    (False, False): "Planned: {planned} GiB.",
    (False, True): "Planned: {planned} GiB; the server holds {held} GiB of RAM now.",
    (True, False): "Planned: {planned} GiB at the start, up to {most} with use.",
    (True, True): "Planned: {planned} GiB at the start, up to {most} with use; the server holds {held} GiB of RAM now.",
}
"""Whether memory grows with use, and whether the system tells what is held -> what is said."""


def screen(name: str, now: Observed, rates: Rates | None) -> Tree:
    """Return requests, speeds and memory of a server. rates: since the look before, None at the first."""
    verdict = Verdict((_does(name, now),), tone="plain")
    return verdict, Pause(), Facts(tuple(_facts(now, rates))), Pause(), *_memory(now)


def devices(memory: Sequence[GpuMemory]) -> Tree:
    """Return what each GPU holds now, of all programs together; nothing without one that tells it."""
    return tuple(
        Text(
            say(
                "{device}: {used} of {total} GiB in use now, by all programs.",
                device=whole(one.name), used=gib(one.used), total=gib(one.total),
            )
        )
        for one in memory
    )  # fmt: skip


def _does(name: str, now: Observed) -> Message:
    running, waiting = int(now.running), int(now.waiting)
    if not running and not waiting:
        return say("{name} is idle.", name=name)
    return say("{name} answers now: {running}; waiting: {waiting}.", name=name, running=running, waiting=waiting)


def _facts(now: Observed, rates: Rates | None) -> list[Fact]:
    found = []
    if rates is not None:
        answers, prompts = rates.answer_tokens, rates.prompt_tokens
        speeds: list[Words] = [
            say("{n} tokens/s of answers", n=short(answers) if answers or not now.unstreamed else "?"),
            say("{n} tokens/s of prompts", n=short(prompts) if prompts or not now.running else "?"),
        ]
        if rates.ttft is not None:
            speeds.append(_first(rates.ttft))
        found.append(Fact(say("now"), tuple(speeds)))
    since: list[Words] = [
        say("requests: {n}", n=f"{now.requests:,.0f}"),
        say("tokens of answers: {n}", n=f"{now.answer_tokens:,.0f}"),
    ]
    if now.refusals:
        since.append(say("refused: {n}", n=f"{now.refusals:,.0f}"))
    found.append(Fact(say("since the start"), tuple(since)))
    if now.unstreamed:
        found.append(Fact(say("counted later"), (counted_later(int(now.unstreamed)),)))
    if now.cache is not None:
        found.append(Fact(say("KV cache"), (say("{share} in use", share=f"{now.cache:.0%}"),)))
    return found


def _first(ttft: float) -> Message:
    if isinf(ttft):
        return say("half began later than {seconds} s", seconds=f"{SECONDS[-1]:g}")
    return say("half began within {seconds} s", seconds=f"{ttft:g}")


def _memory(now: Observed) -> Tree:
    if not now.planned:
        return ()
    table = _planned_lines(now)
    sizes = {"planned": gib(sum(now.planned.values()))}
    more = sum(most - now.planned.get(place, 0.0) for place, most in now.growing.items())
    if more > 0:
        sizes["most"] = gib(sum(now.planned.values()) + more)
    if now.resident is not None:
        sizes["held"] = gib(now.resident)
    return table, Text(Message(MEMORY_TEXTS["most" in sizes, "held" in sizes], sizes))


def held(looks: Sequence[Observed], tell: Tell, width: float = WIDE, *, in_ram: bool = True) -> str:
    """Return RAM that the server's processes held at each look as a chart, "" where the system does not tell it.

    in_ram: True where all that was planned is RAM, so that it stands in the chart beside what is held
    """
    known = [(o.at, o.resident / MIB) for o in looks if o.resident is not None]
    if not known:
        return ""
    last = known[-1][0]
    ticks = [Tick(last, say("now"))]
    if last - known[0][0] >= 1:
        ticks.append(Tick(known[0][0], say("{seconds} s ago", seconds=f"{last - known[0][0]:.0f}")))
    planned, most = looks[-1].planned, most_of(looks[-1])
    said = (say("planned at the start"), sum(planned.values()) / MIB) if in_ram else None
    limit = (say("planned at most"), most / MIB) if in_ram and most > sum(planned.values()) else None
    series = Series(say("held"), known)
    return timeline(say("MiB of RAM that the server's processes hold"), [series], ticks, tell, width, said, limit)


def most_of(now: Observed) -> float:
    """Return the memory that was planned at most, with what grows with use [B]."""
    return sum({**now.planned, **now.growing}.values())


def _planned_lines(now: Observed) -> Table:
    """Return the lines of the memory, with the limits of those that grow with use where there are any."""
    limits = {place: most for place, most in now.growing.items() if most > now.planned.get(place, 0.0)}
    heads = HEAD_TEXTS if limits else HEAD_TEXTS[:3]
    rows = []
    for place, size in now.planned.items():
        most = (gib(limits[place]) if place in limits else "",) if limits else ()
        rows.append((place[0], Message(PART_TEXTS.get(place[1], place[1])), gib(size), *most))  # type: ignore[call-overload]
    columns = tuple(Column(Message(h), "number" if n > 1 else "name") for n, h in enumerate(heads))
    return Table(columns, tuple(rows), indent=1)
