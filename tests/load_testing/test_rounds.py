"""Loads in turn: every load of every round counts, and a slow minute touches all of them alike."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from tests.fakes.fake_load_server import FakeChat, serving

from gyakusan.load_testing import rounds
from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.endpoint import target_of
from gyakusan.load_testing.records import RequestRecord
from gyakusan.load_testing.result import BenchResult, Figure
from gyakusan.load_testing.rounds import run_in_turn, together
from gyakusan.load_testing.session import BenchRequest
from gyakusan.load_testing.workload import Limits, Objective, Shape, Step

ONE, TWO = (Step(Shape(16, 4), users=n) for n in (1, 2))


def test_every_load_is_measured_in_every_round() -> None:
    order: list[int] = []

    def seen(run: StepRun, now: float) -> None:
        if not order or order[-1] != run.step.users:
            order.append(run.step.users)

    with serving(FakeChat(first=0.01, gap=0.002)) as fake:
        asked = BenchRequest(target_of(fake.url), (ONE, TWO), Limits(seconds=0.6))
        found = run_in_turn(asked, 3, seen)
    assert order == [1, 2, 1, 2, 1, 2]
    assert [s.step for s in found.steps] == [ONE, TWO]
    assert all(0.3 < s.seconds <= 0.7 for s in found.steps)
    assert found.steps[1].all is not None
    assert not found.interrupted


def run(begun: float, seconds: float, *gaps: float) -> StepRun:
    """One answer of five tokens for each gap between them, one after the other."""
    records, at = [], begun
    for gap in gaps:
        arrivals = array("d", (at + 0.1 + gap * i for i in range(5)))
        records.append(RequestRecord(0, at, at, arrivals[-1], arrivals, prompt_tokens=16, completion_tokens=5))
        at = arrivals[-1]
    return StepRun(ONE, begun, begun + seconds, records)


def width(rate: Figure | None) -> float:
    assert rate is not None
    assert rate.low is not None
    assert rate.high is not None
    return rate.high - rate.low


def test_requests_of_all_rounds_count_together() -> None:
    """A slow round of the three moves the mean, not the middle."""
    found = together([run(0, 1, 0.1, 0.1), run(50, 1, 0.1, 0.1), run(90, 2, 0.4, 0.4)])
    assert found.requests == 6
    assert found.seconds == pytest.approx(1 + 1 + 1.7)
    assert found.tpot is not None
    assert found.tpot.p50 is not None
    assert found.tpot.p50.value == pytest.approx(0.1)
    assert found.request_rate == pytest.approx((2 + 2 + 1) / 3.7)
    assert found.all is not None
    assert found.all.value == pytest.approx((10 + 10 + 5) / 3.7, rel=0.05)


def test_who_ends_it_early_ends_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    class Ended:
        def __init__(self, *of: object) -> None:
            begun.append(1)

        def run(self) -> BenchResult:
            return BenchResult("", "m", "2026-11-30T00:00:00Z", (), interrupted=True)

    monkeypatch.setattr(rounds, "Bench", Ended)
    found = run_in_turn(BenchRequest(target_of("http://127.0.0.1:1"), (ONE,)), 3)
    assert (found.interrupted, found.steps, len(begun)) == (True, (), 1)


def test_a_rate_of_few_answers_has_no_confidence() -> None:
    found = together([run(0, 1, 0.1), run(5, 1, 0.1)]).all
    assert found is not None
    assert (found.low, found.high) == (None, None)


def test_more_rounds_narrow_the_confidence_of_a_rate() -> None:
    """Each round alone is as sure as the other; four of them are twice as sure."""
    one, four = (together([run(50.0 * i, 8, *[0.1] * 12) for i in range(n)]).all for n in (1, 4))
    assert width(four) == pytest.approx(width(one) / 2, rel=0.1)


@pytest.mark.parametrize(
    "more",
    [{"ramp": True}, {"localscore": True}, {"limits": Limits(requests=5)}, {"objectives": (Objective("ttft", 1.0),)}],
)
def test_what_belongs_to_one_run_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rounds"):
        run_in_turn(BenchRequest(target_of("http://127.0.0.1:1"), (ONE,), **more), 3)
