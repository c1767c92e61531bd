"""Figures from requests: what they are, and that an interval holds what it says."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest

from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.load_testing import ramp
from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.localscore import TESTS, score
from gyakusan.load_testing.records import RequestFailure, RequestRecord
from gyakusan.load_testing.result import BenchResult, Figure, StepResult
from gyakusan.load_testing.statistics import bootstrap, distribution, step_result
from gyakusan.load_testing.workload import (
    Objective,
    Shape,
    Step,
    parse_objectives,
    parse_seconds,
    parse_users,
    shape_of,
)

STEP = Step(Shape(100, 5), users=2)


def record(begin: float, first: float, gap: float, tokens: int = 5, **more: object) -> RequestRecord:
    arrivals = array("d", (begin + first + gap * i for i in range(tokens)))
    facts = {"prompt_tokens": 100, "completion_tokens": tokens, **more}
    return RequestRecord(0, begin, begin, arrivals[-1], arrivals, **facts)  # type: ignore[arg-type]


def run(*records: RequestRecord, ended: float = 10.0) -> StepRun:
    return StepRun(STEP, 0.0, ended, list(records))


def test_figures_of_a_step() -> None:
    found = step_result(run(record(0, 1, 0.5), record(4, 2, 0.25)), [Objective("ttft", 1.5)])
    assert found.ttft
    assert found.ttft.mean == Figure(1.5)
    assert found.each
    assert found.each.value == pytest.approx(8 / 3)  # 4 + 4 tokens in 2 + 1 s, not the mean of 2 and 4
    assert found.all == Figure(1.0)
    assert found.prefill
    assert found.prefill.value == pytest.approx(200 / 3)
    assert (found.goodput, found.good_share) == (0.1, 0.5)
    assert found.in_flight == pytest.approx((3 + 3) / 10)


def test_an_answer_beyond_the_end_counts_in_part() -> None:
    found = step_result(run(record(8, 1, 0.5), ended=10.0))
    assert found.all
    assert found.all.value == pytest.approx(3 / 10)  # pieces at 9, 9.5 and 10 s of five


def test_what_is_cached_was_not_computed() -> None:
    assert step_result(run(record(0, 1, 0.1, cached_tokens=60))).prefill == Figure(40.0)
    assert step_result(run(record(0, 1, 0.1, prefill_rate=77.0))).prefill == Figure(77.0)


def test_failures_are_counted_by_kind() -> None:
    told = ((500, "a"), (503, "b"), (500, "c"))
    bad = [RequestRecord(0, 0, 0, 1, failure=RequestFailure("server_error", s, d)) for s, d in told]
    found = step_result(run(record(0, 1, 0.1), *bad))
    assert [(f.kind, f.status, f.count, f.detail) for f in found.failures] == [
        ("server_error", 500, 2, "a"),
        ("server_error", 503, 1, "b"),
    ]


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        found = bootstrap(rng.exponential(1.0, 100), lambda x: x.mean(axis=-1))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.0 <= found.high
    assert 85 <= held <= 100


def test_few_values_have_no_interval() -> None:
    found = distribution([1.0, 2.0])
    assert found
    assert found.mean == Figure(1.5)
    assert distribution([]) is None


def test_many_values_have_a_narrow_one() -> None:
    few, many = (bootstrap(np.random.default_rng(2).normal(1, 1, n), lambda x: x.mean(axis=-1)) for n in (400, 40_000))
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 10, rel=0.3)


def at(users: int, ttft: float, all_: float = 1.0, failed: int = 0) -> StepResult:
    bad = [RequestRecord(0, 0, 0, 1, failure=RequestFailure("hang")) for _ in range(failed)]
    found = step_result(run(*(record(0, ttft, 0.1) for _ in range(20)), *bad))
    import dataclasses

    return dataclasses.replace(found, step=Step(Shape(100, 5), users=users), all=Figure(all_))


def test_a_ramp_searches_the_most_people() -> None:
    limit = (Objective("ttft", 2.0),)
    first = Step(Shape(100, 5), users=1)
    results: list[StepResult] = []
    while (step := ramp.next_step(first, results, limit)) is not None:
        results.append(at(step.users, 0.3 * step.users))
    assert [r.step.users for r in results] == [1, 2, 4, 8, 6, 7]
    assert ramp.most_held(results, limit) == 6
    assert not ramp.holds(at(1, 0.1, failed=5), limit)


def test_a_rate_is_searched_too() -> None:
    limit = (Objective("ttft", 2.0),)
    first = Step(Shape(100, 5), rate=1.0)
    import dataclasses

    results: list[StepResult] = []
    while (step := ramp.next_step(first, results, limit)) is not None:
        results.append(dataclasses.replace(at(0, 0.3 * step.rate), step=step))
    held = ramp.most_held(results, limit)
    assert held is not None
    assert 2 / 0.3 / ramp.FINE <= held < 2 / 0.3


def test_where_a_curve_bends() -> None:
    steps = [at(1, 0.1, 100), at(2, 0.1, 190), at(4, 0.2, 330), at(8, 0.9, 360)]
    found = ramp.bend(steps)
    assert found
    assert found.step.users == 8
    assert ramp.bend(steps[:3]) is None


def test_localscore_of_known_speeds() -> None:
    whole = [
        StepResult(
            Step(Shape(p, a), users=1), 1.0, 1, prefill=Figure(1000.0), each=Figure(20.0), ttft=distribution([0.5])
        )
        for p, a in TESTS
    ]
    assert score(whole) == pytest.approx(10 * (1000 * 20 * 2) ** (1 / 3))
    assert score(whole[1:]) is None


def test_limits_are_read() -> None:
    assert parse_objectives("ttft<2s, p99 tpot < 50ms") == (Objective("ttft", 2.0), Objective("tpot", 0.05, 99.0))
    assert parse_objectives("TTFT<2s")[0].text == "ttft<2s"
    for text in ("ttft>2s", "speed<2s", "ttft<2", "ttft<0s", ""):
        with pytest.raises(BadSetting):
            parse_objectives(text)


def test_people_and_times_are_read() -> None:
    assert parse_users("8, 1,2,2") == (1, 2, 8)
    for text in ("0", "two", "1,,2", "-1", "5000", "1" * 300):
        with pytest.raises(BadQuantity):
            parse_users(text)
    assert (parse_seconds("30"), parse_seconds("2min")) == (30.0, 120.0)
    for text in ("0", "5h", "-3s"):
        with pytest.raises(BadQuantity):
            parse_seconds(text)


def test_lengths_are_those_of_the_task() -> None:
    assert shape_of("chat", None, None, 0) == Shape(1000, 400)
    assert shape_of("coding", None, 50, 0) == Shape(6000, 50)
    with pytest.raises(BadSetting, match="cannot share"):
        shape_of("chat", 100, None, 100)
    with pytest.raises(BadSetting, match="Choose one of: chat"):
        shape_of("embedding", None, None, 0)


def test_answers_that_all_came_too_late() -> None:
    """ "all" was 0.0 beside 9.1 tokens/s each: within the time of the load not a piece came."""
    late = step_result(run(record(0, 12, 0.5), record(0, 15, 0.25), ended=10.0))
    assert (late.all, late.requests, late.ended_late) == (None, 2, True)
    assert late.each is not None
    assert ramp.longer_seconds([late]) == 50  # three of the longest, 16 s
    partly = step_result(run(record(0, 9, 0.5), ended=10.0))
    assert partly.all is not None
    assert partly.all.value > 0
    assert partly.ended_late
    assert not step_result(run(record(0, 1, 0.5))).ended_late
    assert not step_result(run()).ended_late


def test_a_late_load_has_no_speed_of_everybody() -> None:
    """Four people had 7.8 tokens/s each, and all together 7.6: most of their pieces came after the time of the load."""
    step = step_result(run(record(0, 9, 0.5), ended=10.0))
    timed = BenchResult("http://127.0.0.1:1/v1", "m", "2026-11-30T00:00:00Z", (step,))
    assert step.all is not None
    assert (timed.is_late(step), timed.together(step)) == (True, None)
    counted = replace(timed, limit=1)
    assert (counted.is_late(step), counted.together(step)) == (False, step.all)
