"""Keep up one load: a closed loop of people who each ask again at once, or requests at random times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gyakusan.load_testing.client import Client
from gyakusan.load_testing.prompts import Messages
from gyakusan.load_testing.records import RequestRecord
from gyakusan.load_testing.workload import Limits, Step

T = TypeVar("T")
PAUSE = 0.2
"""A person whose request failed waits before the next, so that a dead server is not asked a million times. [s]"""
FIRST_PAUSES = 3
"""Failures in a row of everybody after which a step ends."""


@dataclass(slots=True)
class StepRun:
    """A step while it runs, and what came of it.

    step: the load
    begun: when its measurement began, by the client's clock [s]
    ended: when no more requests were sent, by the client's clock [s]
    records: requests that were measured, in order of their ends
    warm: requests before the measurement
    stopped: True if it was ended before its time
    """

    step: Step
    begun: float = 0.0
    ended: float = 0.0
    records: list[RequestRecord] = field(default_factory=list)
    warm: list[RequestRecord] = field(default_factory=list)
    stopped: bool = False


AfterRequest = Callable[[StepRun], None]
"""Called after each request."""


@dataclass(slots=True)
class Driver:
    """Runs steps with one client.

    client: asks
    limits: of each step
    prompts: without end
    stop: set to end at once
    after_request: called after each request
    seed: of the random times
    """

    client: Client
    limits: Limits
    prompts: Iterator[Messages]
    stop: asyncio.Event
    after_request: AfterRequest = lambda run: None
    seed: int = 0

    async def run(self, step: Step) -> StepRun:
        """Warm up, then keep up a load and return what came of it."""
        run = StepRun(step)
        await self._warm(run)
        if self.stop.is_set() or (run.warm and all(r.failure for r in run.warm)):
            run.records, run.stopped = list(run.warm), True
            run.begun = min((r.scheduled for r in run.warm), default=self.client.now)
            run.ended = self.client.now
            return run
        run.begun = self.client.now
        await (self._closed(run) if step.users else self._open(run))
        run.stopped = self.stop.is_set()
        return run

    async def _warm(self, run: StepRun) -> None:
        """One request of each person, not measured: connections, caches and graphs of the server are ready after it."""
        answer = min(run.step.shape.answer, 8)
        asked = [self._ask(answer, i) for i in range(max(1, min(run.step.users, 64)))]
        run.warm = await self._all(asked)

    async def _ask(self, answer: int, user: int, scheduled: float | None = None) -> RequestRecord:
        return await self.client.ask(next(self.prompts), answer, user=user, scheduled=scheduled)

    async def _closed(self, run: StepRun) -> None:
        left = self.limits.requests if self.limits.requests is not None else 2**62
        end = run.begun + self.limits.seconds
        failures = 0

        async def person(number: int) -> None:
            nonlocal left, failures
            while left > 0 and not self.stop.is_set() and (self.limits.requests is not None or self.client.now < end):
                left -= 1
                record = await self._ask(run.step.shape.answer, number)
                self._add(run, record)
                failures = failures + 1 if record.failure else 0
                if failures >= FIRST_PAUSES * run.step.users:
                    break
                if record.failure:
                    await asyncio.sleep(PAUSE)

        await self._all([person(i) for i in range(run.step.users)])
        last = max((r.end for r in run.records), default=self.client.now)
        run.ended = last if self.limits.requests is not None else min(end, last)

    async def _open(self, run: StepRun) -> None:
        """Send requests at random times (Poisson); each is measured from when it was to be sent, whoever was late."""
        rng = random.Random(self.seed)
        tasks: list[asyncio.Task[None]] = []
        due, most = run.begun, self.limits.requests or 2**62
        end = run.begun + self.limits.seconds

        async def one(at: float, number: int) -> None:
            self._add(run, await self._ask(run.step.shape.answer, number, at))

        while not self.stop.is_set() and len(tasks) < most:
            due += rng.expovariate(run.step.rate)
            if self.limits.requests is None and due > end:
                break
            if not await self._until(due):
                break
            tasks.append(asyncio.create_task(one(due, len(tasks))))
        run.ended = self.client.now if self.limits.requests is not None or self.stop.is_set() else end
        await self._all(tasks)

    async def _until(self, due: float) -> bool:
        """Wait; False if it is stopped meanwhile."""
        wait = due - self.client.now
        if wait <= 0:
            return not self.stop.is_set()
        try:
            async with asyncio.timeout(wait):
                await self.stop.wait()
        except TimeoutError:
            return True
        return False

    def _add(self, run: StepRun, record: RequestRecord) -> None:
        run.records.append(record)
        self.after_request(run)

    async def _all(self, work: Sequence[Awaitable[T]]) -> list[T]:
        """Wait for all, or until it is stopped: what is unfinished then is dropped."""
        tasks = [asyncio.ensure_future(w) for w in work]
        if not tasks:
            return []
        stopped = asyncio.create_task(self.stop.wait())
        everything = asyncio.gather(*tasks)
        everything.add_done_callback(_heard)
        both: set[asyncio.Future[Any]] = {everything, stopped}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if everything.done():
            return everything.result()
        everything.cancel()
        await asyncio.gather(everything, return_exceptions=True)
        return [t.result() for t in tasks if t.done() and not t.cancelled() and t.exception() is None]


def _heard(everything: asyncio.Future[Any]) -> None:
    """Take what came of it: after a second Ctrl-C nobody waits for it, and asyncio would print a traceback."""
    if not everything.cancelled():
        everything.exception()
