"""A bench as files: one HTML page, and a table for spreadsheets."""

from __future__ import annotations

import csv
import io

from gyakusan.load_testing.result import BenchResult, Distribution, StepResult
from gyakusan.show.bench import screen
from gyakusan.show.bench_report import bench_report
from gyakusan.show.report import page
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
    return page(bench_report(result, screen(result, fresh=False)), language, lambda words: tell(words, language))


def csv_table(result: BenchResult) -> str:
    """Return a line for each load. Every cell is a number or empty, so that no spreadsheet computes what somebody wrote."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    rows.writerows([_cells(s) for s in result.steps])
    return out.getvalue()


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
