"""A load that is ended early: its time is what was measured, not what was planned."""

from __future__ import annotations

import asyncio
import itertools
from array import array
from typing import Any

import pytest

from gyakusan.load_testing.drive import Driver, StepRun
from gyakusan.load_testing.records import RequestRecord
from gyakusan.load_testing.statistics import step_result
from gyakusan.load_testing.workload import Limits, Shape, Step

SHAPE = Shape(64, 8)


class FakeClient:
    """Answers each request after 10 ms, with the clock of its event loop."""

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def ask(self, messages: Any, answer: int, *, user: int, scheduled: float | None = None) -> RequestRecord:
        begun = self.now
        await asyncio.sleep(0.01)
        due, came = begun if scheduled is None else scheduled, array("d", [begun + 0.005, self.now])
        return RequestRecord(user, due, begun, self.now, came, completion_tokens=answer)


def stopped_after(step: Step, requests: int) -> StepRun:
    """Run a step of 30 s that is stopped once so many requests were measured; 0: as soon as it begins."""

    async def run() -> StepRun:
        stop = asyncio.Event()

        def watch(run: StepRun) -> None:
            if len(run.records) >= requests:
                stop.set()

        if not requests:
            asyncio.get_running_loop().call_later(0.005, stop.set)
        client: Any = FakeClient()
        return await Driver(client, Limits(seconds=30.0), itertools.repeat(()), stop, watch).run(step)

    return asyncio.run(run())


@pytest.mark.parametrize("step", [Step(SHAPE, users=2), Step(SHAPE, rate=200.0)], ids=["closed", "random"])
def test_rates_of_a_stopped_load_count_its_own_time(step: Step) -> None:
    run = stopped_after(step, 5)
    assert run.stopped
    result = step_result(run)
    assert 0 < result.seconds < 20, "not the 30 s that were planned"


@pytest.mark.parametrize("step", [Step(SHAPE, users=2), Step(SHAPE, rate=200.0)], ids=["closed", "random"])
def test_a_load_that_is_stopped_while_it_warms_up_has_no_absurd_rate(step: Step) -> None:
    result = step_result(stopped_after(step, 0))
    assert 0 <= result.request_rate < 1e6
    assert -1e3 < result.in_flight < 1e3
