"""All kept benches over time: one line for each setting, so that a change of the server or its driver is seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from gyakusan.load_testing.result import BenchResult, Comparison, StepResult
from gyakusan.load_testing.workload import Step
from gyakusan.message import Listed, Message, people, say
from gyakusan.show.bench import figure_words, middle_words, off_by
from gyakusan.show.charts.drawing import WIDE
from gyakusan.show.charts.timeline import KINDS, Series, Tick, timeline
from gyakusan.show.tree import Tell, Words

MARKS = 5
"""Marks of the time."""
DAYS = 2 * 86_400.0
"""Benches within this time are told apart by the time of day. [s]"""


class Measured(Struct, frozen=True):
    """One load of one bench.

    number: of the bench
    when: of its begin, UTC
    model: as the server calls it
    load: how many people ask what
    each: answer tokens a second of one person, None if not known [tokens/s]
    speed: the same in words
    first: seconds to the first token, in words
    off_by: measured against predicted, in words, "" where nothing was predicted
    inside: True if it lies in the predicted interval, None where nothing was predicted
    """

    number: int
    when: datetime
    model: str
    load: Message
    each: float | None
    speed: str
    first: str
    off_by: Words
    inside: bool | None


def measured(benches: Sequence[BenchResult]) -> tuple[Measured, ...]:
    """Return every load with an answer, the newest first."""
    found = [m for bench in benches for m in _of(bench)]
    return tuple(sorted(found, key=lambda m: (m.when, m.number), reverse=True))


def history(rows: Sequence[Measured], tell: Tell, width: float = WIDE) -> str:
    """Return the chart of the settings that were measured most often, "" where no setting was measured twice."""
    by_setting: Mapping[str, list[Measured]] = defaultdict(list)
    for row in reversed(rows):
        if row.each is not None:
            by_setting[tell(_setting(row))].append(row)
    often = sorted(by_setting.items(), key=lambda kv: (-len(kv[1]), -kv[1][-1].when.timestamp()))
    shown = [(name, found) for name, found in often if len(found) > 1][:KINDS]
    if not shown:
        return ""
    series = [Series(name, tuple((m.when.timestamp(), float(m.each or 0)) for m in found)) for name, found in shown]
    ticks = _ticks([m.when for _, found in shown for m in found])
    return timeline(say("answer tokens/s of one person"), series, ticks, tell, width)


def _setting(row: Measured) -> Message:
    return say("{load}", load=Listed((row.load, say("{model}", model=row.model or "?"))))


def _of(bench: BenchResult) -> Iterator[Measured]:
    when = _when(bench.started)
    if when is None or bench.number is None:
        return
    for step in bench.steps:
        if step.requests:
            yield _one(bench, step, when)


def _one(bench: BenchResult, step: StepResult, when: datetime) -> Measured:
    said = _said(bench.comparisons, step)
    return Measured(
        bench.number or 0, when, bench.name or bench.model, _load(step.step), step.each.value if step.each else None,
        figure_words(step.each), middle_words(step.ttft), "" if said is None else off_by(said.error_share),
        None if said is None else said.inside,
    )  # fmt: skip


def _said(rows: Sequence[Comparison], step: StepResult) -> Comparison | None:
    """Return what was predicted for the speed of one person of a load."""
    return next((c for c in rows if c.quantity == "decode" and c.users == step.step.users), None)


def _load(step: Step) -> Message:
    shape = step.shape
    sizes = {"prompt": f"{shape.prompt:,}", "answer": f"{shape.answer:,}"}
    who: Words = people(step.users) if step.users else say("{rate} requests/min", rate=f"{60 * step.rate:,.3g}")
    if shape.depth:
        return say("{who}, {prompt} + {answer} tokens after {depth}", who=who, depth=f"{shape.depth:,}", **sizes)
    return say("{who}, {prompt} + {answer} tokens", who=who, **sizes)


def _when(started: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(started)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ticks(times: Sequence[datetime]) -> tuple[Tick, ...]:
    first, last = min(times).timestamp(), max(times).timestamp()
    form = "%H:%M" if last - first < DAYS else "%Y-%m-%d"
    marks = [first + (last - first) * i / (MARKS - 1) for i in range(MARKS)] if last > first else [first]
    return tuple(Tick(m, f"{datetime.fromtimestamp(m).astimezone():{form}}") for m in marks)
