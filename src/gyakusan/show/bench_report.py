"""A bench outside the terminal: its screen with charts of the loads, and of what was said and seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gyakusan.load_testing import ramp
from gyakusan.load_testing.result import BenchResult, Comparison, StepResult
from gyakusan.message import Message, say
from gyakusan.show.bench import comparison_label
from gyakusan.show.charts.intervals import Interval, intervals
from gyakusan.show.charts.lines import WIDTH, Line, chart
from gyakusan.show.report import Picture, Report
from gyakusan.show.tree import Tell, Tree

UNIT_TEXTS = {"tokens/s": "Said and seen, tokens/s", "s": "Said and seen, seconds"}
"""Unit of a comparison -> head of its chart. Memory has its table: it is right to the byte, or a bug."""


def bench_report(result: BenchResult, screen: Tree) -> Report:
    """Return the report of a bench: what each load gave, and what was predicted beside what was measured."""
    loads = (p for p in _loads(result) if p.draw(str, WIDTH))  # nothing but zeros or one point is no chart
    pictures = (*loads, *said_and_seen(result.comparisons))
    return Report(f"gyakusan bench: {result.model or result.endpoint}", screen, pictures)


def said_and_seen(rows: Sequence[Comparison]) -> Iterator[Picture]:
    """Yield a chart for each unit: predictions with their intervals, what was measured as diamonds."""
    for unit, head in UNIT_TEXTS.items():
        mine = [r for r in rows if r.unit == unit]
        if mine:
            drawn = [Interval(comparison_label(r), r.predicted, r.low, r.high, (r.measured,)) for r in mine]
            title = Message(head)
            told = say("{title} (dot: forecast, bar: 80 % interval, diamond: measured here)", title=title)
            yield Picture(told, _intervals(title, drawn))


def _intervals(title: Message, rows: Sequence[Interval]) -> Callable[[Tell, float], str]:
    return lambda tell, width: intervals(title, rows, tell, width)


def _loads(result: BenchResult) -> Iterator[Picture]:
    """Yield a chart of each figure over the load, where the loads differ in nothing else."""
    steps = sorted(result.steps, key=lambda s: ramp.load(s.step))
    if len({(s.step.shape, bool(s.step.users)) for s in steps}) != 1 or len({ramp.load(s.step) for s in steps}) < 2:
        return
    across = say("people") if steps[0].step.users else say("requests/s")
    speed = Message("tokens/s")

    def drawn(head: Message, unit: Message, *named: tuple[Message, Callable[[StepResult], float | None]]) -> Picture:
        def draw(tell: Tell, width: float) -> str:
            lines = [Line(tell(name), _points(steps, figure)) for name, figure in named]
            return chart(tell(head), tell(across), tell(unit), lines, min(width, 760))

        return Picture(head, draw)

    yield drawn(
        say("Answer tokens a second of everybody"), speed,
        (say("all"), lambda s: found.value if (found := result.together(s)) else None),
    )  # fmt: skip
    yield drawn(
        say("Answer tokens a second of one person"), speed,
        (say("tokens/s each"), lambda s: s.each.value if s.each else None),
    )  # fmt: skip
    yield drawn(
        say("Time to the first token"), say("seconds"), (say("median"), lambda s: ramp.percentile(s.ttft, 50)),
        (say("slowest 5 %"), lambda s: ramp.percentile(s.ttft, 95)),
    )  # fmt: skip


def _points(
    steps: Sequence[StepResult], figure: Callable[[StepResult], float | None]
) -> tuple[tuple[float, float], ...]:
    return tuple((ramp.load(s.step), v) for s in steps if (v := figure(s)) is not None)
