"""Benches over time: a line for each setting that was measured more than once, and a row for each load."""

from __future__ import annotations

from dataclasses import replace

from tests.show.charts.chart_checks import check_inside, english

from gyakusan.load_testing.result import BenchResult, Comparison, Figure, StepResult
from gyakusan.load_testing.workload import Shape, Step
from gyakusan.show.bench_history import history, measured


def bench(number: int, day: int, speed: float, users: int = 2) -> BenchResult:
    step = StepResult(Step(Shape(100, 8), users=users), 30.0, 5, each=Figure(speed))
    empty = replace(step, requests=0)
    said = Comparison("decode", "", users, "tokens/s", 10.0, 8.0, 12.0, speed)
    return BenchResult(
        "http://127.0.0.1:1/v1", "m", f"2026-11-{day:02}T00:00:00Z", (step, empty), comparisons=(said,), number=number
    )


def test_one_line_for_each_setting() -> None:
    rows = measured([bench(1, 1, 10.0), bench(2, 9, 13.0), bench(3, 9, 5.0, users=4)])
    assert [(r.number, r.each, str(r.off_by), r.inside) for r in rows] == [
        (3, 5.0, "-50 %", False), (2, 13.0, "+30 %", False), (1, 10.0, "0.0 %", True),
    ]  # fmt: skip
    drawn = history(rows, english)
    check_inside(drawn, 1110)
    assert "2 people, 100 + 8 tokens, m: 13" in drawn
    assert "4 people" not in drawn, "measured once: it is no line"
    assert "2026-11-01" in drawn
    assert "2026-11-09" in drawn


def test_benches_of_one_day_have_times() -> None:
    rows = measured([bench(1, 1, 10.0), replace(bench(2, 1, 13.0), started="2026-11-01T01:30:00Z")])
    assert "2026-11" not in history(rows, english)


def test_nothing_was_measured_twice() -> None:
    assert history(measured([bench(1, 1, 10.0)]), english) == ""
    assert measured([replace(bench(1, 1, 10.0), started="some day")]) == ()
