"""A bench as files: one HTML page, and a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from gyakusan.load_testing import ramp
from gyakusan.load_testing.result import BenchResult, Distribution, StepResult
from gyakusan.message import Message, say
from gyakusan.show.bench import screen
from gyakusan.show.charts.lines import Line, chart
from gyakusan.show.html import page
from gyakusan.show.tree import Words
from gyakusan.text import Language, tell

COLUMNS = (
    *("users", "rate", "prompt", "answer", "shared", "depth", "seconds", "requests", "failed"),
    *("prompt_tokens", "completion_tokens", "cached_share", "decode_each", "decode_each_low", "decode_each_high"),
    *("throughput", "prefill", "request_rate", "goodput", "good_share", "in_flight"),
    *(f"{time}_{part}" for time in ("ttft", "tpot", "itl", "e2e") for part in ("mean", "p50", "p90", "p95", "p99")),
)
"""Times in seconds, speeds in tokens/s."""


def html_page(result: BenchResult, language: Language) -> str:
    """Return the page of a bench."""

    def told(words: Words) -> str:
        return words if isinstance(words, str) else tell(words, language)

    title = f"gyakusan bench: {result.model or result.endpoint}"
    return page(title, language, screen(result), _charts(result, told), told)


def csv_table(result: BenchResult) -> str:
    """Return a line for each load. Every cell is a number or empty, so that no spreadsheet computes what somebody wrote."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    rows.writerows([_cells(s) for s in result.steps])
    return out.getvalue()


def _charts(result: BenchResult, told: Callable[[Words], str]) -> list[str]:
    steps = sorted(result.steps, key=lambda s: ramp.load(s.step))
    if len({(s.step.shape, bool(s.step.users)) for s in steps}) != 1:
        return []
    across = told(say("people") if steps[0].step.users else say("requests/s"))
    speed = told(Message("tokens/s"))

    def line(name: Message, figure: Callable[[StepResult], float | None]) -> Line:
        return Line(told(name), tuple((ramp.load(s.step), v) for s in steps if (v := figure(s)) is not None))

    everybody = line(say("all"), lambda s: s.all.value if s.all else None)
    one = line(say("tokens/s each"), lambda s: s.each.value if s.each else None)
    middle = line(say("median"), lambda s: ramp.percentile(s.ttft, 50))
    slow = line(say("slowest 5 %"), lambda s: ramp.percentile(s.ttft, 95))
    return [
        chart(told(say("Answer tokens a second of everybody")), across, speed, [everybody]),
        chart(told(say("Answer tokens a second of one person")), across, speed, [one]),
        chart(told(say("Time to the first token")), across, told(say("seconds")), [middle, slow]),
    ]


def _cells(s: StepResult) -> list[float | int | None]:
    shape, each = s.step.shape, s.each
    row: list[float | int | None] = [s.step.users, s.step.rate, shape.prompt, shape.answer, shape.shared, shape.depth]
    row += [s.seconds, s.requests, s.failed, s.prompt_tokens, s.completion_tokens, s.cached_share]
    row += [None, None, None] if each is None else [each.value, each.low, each.high]
    row += [s.all.value if s.all else None, s.prefill.value if s.prefill else None]
    row += [s.request_rate, s.goodput, s.good_share, s.in_flight]
    for found in (s.ttft, s.tpot, s.itl, s.e2e):
        row += _times(found)
    return row


def _times(d: Distribution | None) -> list[float | int | None]:
    if d is None:
        return [None] * 5
    mean, p50, p95 = (None if f is None else f.value for f in (d.mean, d.p50, d.p95))
    return [mean, p50, d.p90, p95, d.p99]
