"""A bench from its begin to its end: find out how the server counts, run the steps, and keep what was measured."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from gyakusan.errors import BadSetting, ServerError
from gyakusan.load_testing import localscore, ramp
from gyakusan.load_testing.client import Client, ClientCost
from gyakusan.load_testing.connection import Target
from gyakusan.load_testing.drive import Driver, StepRun
from gyakusan.load_testing.endpoint import ServerFacts, address, facts_of
from gyakusan.load_testing.failures import no_answer
from gyakusan.load_testing.prompts import Messages, PromptSource, TokenRule, made, rule_from
from gyakusan.load_testing.records import RequestRecord
from gyakusan.load_testing.result import BenchResult, FailureCount, StepResult
from gyakusan.load_testing.statistics import step_result
from gyakusan.load_testing.workload import USUAL_LIMITS, Limits, Objective, Step

PROBES = (24, 240)
"""Words of the two prompts from which we learn how the server counts."""
OPTIONAL: Mapping[str, object] = {
    "stream_options": {"include_usage": True},
    "ignore_eos": True,
    "temperature": 0,
    "cache_prompt": True,
}
"""What a server may refuse: token counts, answers of full length, the same answers each time, its prompt cache."""
MUST_TRY: tuple[Mapping[str, object], ...] = (
    {},
    {"ignore_eos": None, "cache_prompt": None},
    {"ignore_eos": None, "cache_prompt": None, "stream_options": None},
)
"""What is left out, one after the other, until a server accepts the request."""


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """What a bench does.

    target: the server
    steps: loads, one after the other; the first one of a ramp
    limits: of every step
    objectives: limits of times
    ramp: True to add people until an objective breaks
    model: name of the model in the API, "" = the first that the server lists
    own: prompts of the person, () = made ones
    seed: of words and times
    task: whose lengths were taken, for the record
    localscore: True where the steps are those of LocalScore
    """

    target: Target
    steps: tuple[Step, ...]
    limits: Limits = USUAL_LIMITS
    objectives: tuple[Objective, ...] = ()
    ramp: bool = False
    model: str = ""
    own: tuple[Messages, ...] = ()
    seed: int = 1
    task: str = ""
    localscore: bool = False


Progress = Callable[[StepRun, float], None]
"""Called after each request, with the client's clock [s]."""
Keep = Callable[[StepResult, StepRun], None]
"""Called with each step when it is measured, so that nothing is lost afterwards."""


@dataclass(slots=True)
class Bench:
    """A bench while it runs.

    request: what it does
    on_progress: called after each request
    on_step: called with each step that is measured
    facts: what the server says of itself
    results: of the steps until now
    cost: of the client
    interrupted: True if somebody ended it early
    started: day and time of the begin, in UTC
    """

    request: BenchRequest
    on_progress: Progress = lambda run, now: None
    on_step: Keep = lambda result, run: None
    facts: ServerFacts = field(default_factory=ServerFacts)
    results: list[StepResult] = field(default_factory=list)
    cost: ClientCost | None = None
    interrupted: bool = False
    started: str = ""
    _ending: bool = field(default=False, init=False, repr=False)
    _stop: Callable[[], object] | None = field(default=None, init=False, repr=False)
    _cancel: Callable[[], object] | None = field(default=None, init=False, repr=False)

    def end_early(self) -> None:
        """End it as Ctrl-C does, from any thread: what was measured until now is kept."""
        self._ending = True
        self._inside(self._stop)

    def end_at_once(self) -> None:
        """End it without what is measured at the moment."""
        self._inside(self._cancel)

    @staticmethod
    def _inside(asked: Callable[[], object] | None) -> None:
        if asked is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                asked()

    def run(self) -> BenchResult:
        """Run it; Ctrl-C ends it early and keeps what was measured. Raises ServerError for a server that answers nothing."""
        self.started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.facts = facts_of(self.request.target)
        try:
            with _on_interrupt(self):
                asyncio.run(self._main())
        except asyncio.CancelledError:  # a second Ctrl-C
            raise KeyboardInterrupt from None
        self.interrupted = self.interrupted or self._ending
        return self.result

    @property
    def result(self) -> BenchResult:
        """What was measured until now."""
        asked, steps = self.request, tuple(self.results)
        return BenchResult(
            endpoint=address(asked.target),
            model=asked.model or self.facts.model,
            started=self.started,
            steps=steps,
            server=self.facts.build,
            task=asked.task,
            objectives=asked.objectives,
            ramp=asked.ramp,
            held=ramp.most_held(steps, asked.objectives) if asked.objectives else None,
            client=self.cost,
            interrupted=self.interrupted,
            limit=asked.limits.requests,
            score=localscore.score(steps) if asked.localscore else None,
        )

    async def _main(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = partial(loop.call_soon_threadsafe, stop.set)
        if (task := asyncio.current_task()) is not None:
            self._cancel = partial(loop.call_soon_threadsafe, task.cancel)
        if self._ending:
            stop.set()
        body = {**OPTIONAL, "stream": True} | (
            {"model": name} if (name := self.request.model or self.facts.model) else {}
        )
        async with Client.opened(self.request.target, self.request.limits, body) as client:
            rule = await self._probe(client, stop)
            while not stop.is_set() and (step := self._next()) is not None:
                await self._step(client, rule, step, stop)
            self.cost = client.cost
        self.interrupted = stop.is_set()

    def _next(self) -> Step | None:
        """Return the next load, None at the end."""
        asked, done = self.request, self.results
        if asked.ramp:
            return ramp.next_step(asked.steps[0], done, asked.objectives)
        return asked.steps[len(done)] if len(done) < len(asked.steps) else None

    async def _step(self, client: Client, rule: TokenRule, step: Step, stop: asyncio.Event) -> None:
        seed = self.request.seed * 1009 + len(self.results)
        prompts: Iterator[Messages] = iter(PromptSource(step.shape, rule, seed, self.request.own))
        driver = Driver(client, self.request.limits, prompts, stop, lambda run: self.on_progress(run, client.now), seed)
        with client.measured():
            run = await driver.run(step)
        if not run.records:
            return
        result = step_result(run, self.request.objectives)
        self.results.append(result)
        self.on_step(result, run)

    async def _probe(self, client: Client, stop: asyncio.Event) -> TokenRule:
        """Learn what the server accepts and how it counts. Raises ServerError if it answers nothing."""
        first = await self._accepted(client, stop)
        if first is None or first.prompt_tokens is None:
            return TokenRule()
        second = await self._until_stop(client.ask(made(PROBES[1], 2), 1), stop)
        if second is None or (second.failure is None and second.prompt_tokens is None):
            return TokenRule()
        if second.prompt_tokens is None:
            raise self._refusal(second)
        return rule_from((PROBES[0], first.prompt_tokens), (PROBES[1], second.prompt_tokens))

    async def _accepted(self, client: Client, stop: asyncio.Event) -> RequestRecord | None:
        """Leave out what the server refuses until it answers."""
        record: RequestRecord | None = None
        for left_out in MUST_TRY:
            client.extras = {k: v for k, v in client.extras.items() if k not in left_out}
            record = await self._until_stop(client.ask(made(PROBES[0], 1), 1), stop)
            if record is None or record.failure is None:
                return record
            if record.failure.kind not in ("bad_request",):
                break
        assert record is not None
        if record.failure is not None and record.failure.kind == "empty":
            return record  # one token may be none that is shown: the warm-up asks for more
        raise self._refusal(record)

    def _refusal(self, record: RequestRecord) -> ServerError:
        """Return the error of a server that does not even answer a short prompt."""
        assert record.failure is not None
        f = record.failure
        return no_answer(FailureCount(f.kind, 1, f.status, f.detail), address(self.request.target))

    @staticmethod
    async def _until_stop(asked: object, stop: asyncio.Event) -> RequestRecord | None:
        task = asyncio.ensure_future(asked)  # type: ignore[call-overload]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            return task.result()  # type: ignore[no-any-return]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None


@contextlib.contextmanager
def _on_interrupt(bench: Bench) -> Iterator[None]:
    """Ctrl-C asks for the end; a second one ends at once, but from inside the loop: nothing may break in between its steps.

    It stands before the loop begins and until it is closed: asyncio's own handler raises between two steps.
    """
    asked_before = False

    def asked(number: int, frame: object) -> None:
        nonlocal asked_before
        (bench.end_at_once if asked_before else bench.end_early)()
        asked_before = True

    try:
        before = signal.signal(signal.SIGINT, asked)
    except ValueError:  # not the main thread: nobody sends it Ctrl-C
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def steps_of(shape_users: Sequence[Step], depths: Sequence[int]) -> tuple[Step, ...]:
    """Return the steps at each depth of a conversation, all loads of one depth together."""
    if not depths:
        return tuple(shape_users)
    return tuple(replace(s, shape=replace(s.shape, depth=d)) for d in depths for s in shape_users)


def check_request(asked: BenchRequest) -> None:
    """Raise BadSetting for what contradicts itself."""
    if asked.ramp and len(asked.steps) != 1:
        raise BadSetting("--until adds people on its own.", mend="Give one number to begin with, or leave out --users.")
