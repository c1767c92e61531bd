"""The page of this computer: servers that run, with their memory as it is now, benches that were kept, what was found here.

A public copy has no such page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gyakusan.errors import GyakusanError
from gyakusan.load_testing.endpoint import loads_within
from gyakusan.load_testing.result import BenchResult
from gyakusan.load_testing.store import KeptBench, Store
from gyakusan.message import Message, say
from gyakusan.serving.registration import rows_of
from gyakusan.show import bench as benches
from gyakusan.show import bench_history, servers, watch
from gyakusan.show import machine as machines
from gyakusan.show.bench_report import bench_report
from gyakusan.show.report import Picture, Report
from gyakusan.show.served import comparison
from gyakusan.show.tree import Facts, Tone, Tree
from gyakusan.show.wording import gib
from gyakusan.web.choices import TASK_TEXTS
from gyakusan.web.control import Control
from gyakusan.web.live_servers import Seen
from gyakusan.web.problems import Refused
from gyakusan.web.queries import ComputerQuery, read
from gyakusan.web.reader import language_of
from gyakusan.web.rendering import page, part

MOST_BENCHES = 30
"""Benches whose history is drawn, the newest."""
NOTHING: Mapping[str, str] = {}
MOST_ROWS = 40
"""Rows of the table of benches."""


class Card(Struct, frozen=True):
    """One server on the page.

    name: of it
    ready: False while it loads its model
    state: since when it runs, or that it loads
    facts: what it is
    now: what it does, and its memory as planned and held
    memory: its memory over the last minutes
    said: what was predicted and what the server reported
    benched: what was predicted and what its last bench measured
    bench: number of that bench
    people: that the form of its bench begins with, e.g. 1,2: no more at a time than it serves
    """

    name: str
    ready: bool
    state: Message
    facts: Tree
    now: Tree
    memory: Report
    said: Tree
    benched: Tree
    bench: int
    people: str


class Benches(Struct, frozen=True):
    """What was measured on this computer.

    last: report of the bench that is shown, None where none is kept
    number: of that bench
    newest: True where it is the last one
    history: chart over time
    rows: each load of each bench, the newest first
    problem: why they cannot be read, None if they can
    """

    last: Report | None = None
    number: int = 0
    newest: bool = True
    history: Report | None = None
    rows: tuple[bench_history.Measured, ...] = ()
    problem: Message | None = None


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    asked = read(ComputerQuery, request.query_params.multi_items())
    return _page(request, say("This computer"), _benches(asked.bench), asked)


def document(request: Request) -> Response:
    """Return the servers that run and what they do, as `gyakusan ps --json` does. Raises GyakusanError."""
    from gyakusan.documents.servers import servers as made
    from gyakusan.documents.writer import written

    control: Control = request.app.state.control
    found = made([(s.entry, s.live) for s in control.live.look()])
    text = written(found, language_of(request), indent=None)
    return Response(text, media_type="application/json", headers={"cache-control": "no-store"})


def draw_refused(request: Request, told: Refused, asked: ComputerQuery, bench: Mapping[str, str]) -> Response:
    """Return the page with the reason why an action was refused on top. Raises GyakusanError.

    asked: what the form for a start is filled with
    bench: names and values of the form of a bench that was sent
    """
    return _page(request, told.title, _benches(None), asked, told, bench)


def _page(
    request: Request,
    title: Message,
    kept: Benches,
    asked: ComputerQuery,
    refused: Refused | None = None,
    bench: Mapping[str, str] = NOTHING,
) -> Response:
    from gyakusan.machines import this_computer_noted
    from gyakusan.web.choices import engine_name, engine_names, startable

    machine, notes = this_computer_noted()
    return page(
        request, "computer.html", title, machine=machines.screen(machine, notes), **_live(request, bench), benches=kept,
        refused=refused.lines if refused else (), status=refused.status if refused else 200, asked=asked,
        models=startable() if request.app.state.acts else (), engines=engine_names(), engine=engine_name(asked.engine),
    )  # fmt: skip


def live(request: Request) -> Response:
    """Return the part of the page that moves."""
    return part(request, "computer_live.html", **_live(request))


def _live(request: Request, typed: Mapping[str, str] = NOTHING) -> dict[str, Any]:
    control: Control = request.app.state.control
    seen, starting, bench = control.live.look(), control.starts.starting(), control.bench.state
    measured = _measured(seen)
    sentence, tone = _verdict(seen, measured)
    parts = [f"{s.entry.name}:{s.entry.pid}:{s.entry.ready}" for s in seen]
    parts += [f"{s.name}:{s.failed is None}" for s in starting]
    parts += [] if bench is None else [f"bench:{bench.runs}:{bench.number}"]
    return {
        "cards": [_card(s, measured.get(s.entry.url)) for s in seen],
        "verdict": sentence, "tone": tone, "key": " ".join(parts), "bench": bench, "typed": typed,
        "tasks": tuple(TASK_TEXTS.items()),
        "starting": [s for s in starting if s.name not in {one.entry.name for one in seen}],
    }  # fmt: skip


def _measured(seen: Sequence[Seen]) -> dict[str, BenchResult]:
    """Return address of each server -> its last bench, if one was ended since it started and something was predicted."""
    found: dict[str, BenchResult] = {}
    try:
        for kept in Store().every() if seen else ():
            here = [s.entry for s in seen if s.entry.url == kept.endpoint and s.entry.started <= kept.started]
            if here and kept.finished and kept.endpoint not in found:
                found[kept.endpoint] = Store().read(kept.number)
    except GyakusanError:
        return {}  # the list of benches says why
    return {endpoint: bench for endpoint, bench in found.items() if bench.comparisons}


def _verdict(seen: Sequence[Seen], measured: Mapping[str, BenchResult]) -> tuple[Message, Tone]:
    """Return the first sentence: whether servers run as they were predicted, by what they report and by their benches."""
    if not seen:
        return say("Nothing runs here."), "plain"
    rows = [row for s in seen for row in rows_of(s.entry)]
    wrong = sum(not row.exact for row in rows)
    if wrong:
        return say("{n} of {count} memory buffers are not as predicted.", n=wrong, count=len(rows)), "doubt"
    figures = [c for bench in measured.values() for c in bench.comparisons]
    outside = sum(not c.inside for c in figures)
    if outside:
        return say(
            "{n} of {count} measured figures are outside what was predicted.", n=outside, count=len(figures)
        ), "doubt"
    above = next((s for s in seen if _above(s)), None)
    if above is not None and above.now is not None:
        told = {"held": gib(above.now.resident or 0.0), "most": gib(watch.most_of(above.now))}
        return say(
            "{name} holds {held} GiB of RAM; at most {most} were planned.", name=above.entry.name, **told
        ), "doubt"
    if rows and any((s.entry.most_bytes or 0.0) > s.entry.bytes for s in seen):
        most = gib(sum(max(s.entry.most_bytes or 0.0, s.entry.bytes) for s in seen))
        return say("Buffers as predicted; memory grows with use, at most {most} GiB.", most=most), "fits"
    if rows or figures:
        return say("Running as predicted."), "fits"
    return say("1 server runs on this computer.") if len(seen) == 1 else say(
        "{count} servers run on this computer.", count=len(seen)
    ), "plain"  # fmt: skip


def _above(seen: Seen) -> bool:
    """Return True where a server that is all in RAM holds more than was planned at most."""
    now = seen.now
    return now is not None and seen.entry.in_ram and bool(now.planned) and (now.resident or 0.0) > watch.most_of(now)


def _card(seen: Seen, bench: BenchResult | None) -> Card:
    entry, now = seen.entry, datetime.now(UTC)
    rows = rows_of(entry)
    told: Tree = () if seen.now is None else watch.screen(entry.name, seen.now, seen.rates)
    if seen.problem is not None:
        told = servers.status(entry, seen.live, now)
    told += watch.devices(seen.gpus)
    drawn = Picture(
        say("Memory while it runs"), lambda tell, width: watch.held(seen.looks, tell, width, in_ram=entry.in_ram)
    )
    charted = any(o.resident is not None for o in seen.looks)
    return Card(
        entry.name, entry.ready, servers.state(entry, seen.live, now), (Facts(servers.described(entry)),), told,
        Report("", (), (drawn,) if charted else ()), (comparison(rows),) if rows else (),
        () if bench is None else tuple(benches.said_and_seen(bench.comparisons)), 0 if bench is None else bench.number or 0,
        ",".join(map(str, loads_within(entry.users or None))),
    )  # fmt: skip


def _benches(number: int | None) -> Benches:
    """Return the bench of a number, None = the last one, and all of them over time."""
    try:
        kept = Store().every()
        if not kept and number is None:
            return Benches()
        found = [Store().read(k.number) for k in kept[:MOST_BENCHES]]
        shown = Store().read(number) if number is not None else _last(found)
    except GyakusanError as error:
        return Benches(problem=error.message)
    rows = bench_history.measured(found)
    drawn = Picture("", lambda tell, width: bench_history.history(rows, tell, width))
    history = Report("", (), (drawn,) if bench_history.history(rows, str) else ())
    if shown is None:
        return Benches(history=history, rows=rows[:MOST_ROWS])
    report = bench_report(shown, benches.screen(shown, fresh=False))
    return Benches(report, shown.number or 0, _is_newest(kept, shown), history, rows[:MOST_ROWS])


def _last(found: Sequence[BenchResult]) -> BenchResult | None:
    """Return the newest bench with an answer."""
    return next((b for b in found if any(s.requests for s in b.steps)), found[0] if found else None)


def _is_newest(kept: Sequence[KeptBench], shown: BenchResult) -> bool:
    return bool(kept) and kept[0].number == shown.number
