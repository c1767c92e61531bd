"""Python's `bench`: load a server, keep what was measured, compare it with what was predicted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting, Failure, unknown
from gyakusan.message import Message, say
from gyakusan.python.answer import Answer
from gyakusan.python.options import Amount

if TYPE_CHECKING:
    from gyakusan.documents.bench import BenchJson, BenchListJson
    from gyakusan.engines.deployment import Deployment
    from gyakusan.load_testing.conditions import Conditions
    from gyakusan.load_testing.connection import Target
    from gyakusan.load_testing.drive import StepRun
    from gyakusan.load_testing.endpoint import ServerFacts
    from gyakusan.load_testing.result import BenchResult, StepResult
    from gyakusan.load_testing.session import Bench, BenchRequest
    from gyakusan.load_testing.store import KeptBench
    from gyakusan.load_testing.workload import Step

    Progress = Callable[[StepRun, float], None]

LARGEST_LOG = 128 * 2**20
"""Of a server's log; ours end at half of it. [B]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What a bench can be told; each as on the command line.

    users: people at a time, e.g. "1,2,4,8"
    rate: requests at random times instead, e.g. "30/min"
    until: limit of a time up to which people are added, e.g. "ttft<2s"
    slo: limits of times that a good answer keeps, e.g. "ttft<2s,tpot<50ms"
    task: whose lengths of prompt and answer are taken
    prompt: its length instead [tokens]
    answer: its length instead [tokens]
    prompts: file with prompts of one's own
    prefix: tokens that all prompts share, so that the server's cache holds them
    depths: lengths of a conversation before the prompt, e.g. "0,4k,16k"
    seconds: how long each load is measured
    requests: that end a load, instead of the time
    silence: longest silence of the server
    longest: longest time of one answer
    model_name: name of the model in the API
    key_file: file with the API key
    seed: of the words and the random times, None = another each time, so that no cache knows the prompts
    localscore: True for LocalScore's nine tests
    plan: saved plan whose first deployment is compared
    model: model that is served, to compare it with its prediction
    context: of each conversation there
    engine: server program there
    log: file with the server's log, from which its memory is read
    save: False keeps nothing
    """

    users: Amount | None = None
    rate: str | None = None
    until: str | None = None
    slo: str | None = None
    task: str = "chat"
    prompt: Amount | None = None
    answer: Amount | None = None
    prompts: str | Path | None = None
    prefix: Amount = 0
    depths: str | None = None
    seconds: str | float = "30s"
    requests: int | None = None
    silence: str | float = "2min"
    longest: str | float = "15min"
    model_name: str = ""
    key_file: str | Path | None = None
    seed: int | None = None
    localscore: bool = False
    plan: str | Path | None = None
    model: str | None = None
    context: Amount | None = None
    engine: str = DEFAULT
    log: str | Path | None = None
    save: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Benched(Answer):
    """What `gyakusan bench` answers.

    result: what was measured, and what was predicted
    notes: what went wrong besides
    """

    result: BenchResult
    notes: tuple[Message, ...] = ()

    def document(self) -> BenchJson:
        """Return the document of `gyakusan bench --json`."""
        from gyakusan.documents.bench import bench as document

        return document(self.result)

    def summary(self) -> Iterator[str]:
        """Yield one line for each load, and how many predictions held."""
        r = self.result
        yield f"{r.model or r.endpoint}: {len(r.steps)} loads"
        for s in r.steps:
            what = f"{s.step.users} users" if s.step.users else f"{s.step.rate:.3g} requests/s"
            speed = f"{s.each.value:.3g} tokens/s each" if s.each else "no speed"
            yield f"  {what}: {speed}, {s.requests} answers, {s.failed} failed"
        if r.comparisons:
            yield f"  {len(r.comparisons) - r.outside} of {len(r.comparisons)} figures inside the prediction"


@dataclass(frozen=True, slots=True, repr=False)
class Benches(Answer):
    """What `gyakusan bench list` answers.

    kept: the newest first
    """

    kept: tuple[KeptBench, ...]

    def document(self) -> BenchListJson:
        """Return the document of `gyakusan bench list --json`."""
        from gyakusan.documents.bench import benches

        return benches(self.kept)

    def summary(self) -> Iterator[str]:
        """Yield one line for each bench."""
        yield from (f"{k.number}. {k.started} {k.model} at {k.endpoint}, {k.steps} loads" for k in self.kept)


def bench(endpoint: str | None = None, **options: Any) -> Benched:
    """Load a server and return what was measured. Raises GyakusanError.

    endpoint: address of an OpenAI-compatible server, or name of one that gyakusan started; None = the only one
    options: those of BenchOptions, and of the machine and the engine's settings as for `inspect`, to compare with what is
        predicted for them
    """
    known = {f.name for f in fields(BenchOptions)}
    ours = {k: v for k, v in options.items() if k in known}
    settings = {k: v for k, v in options.items() if k not in known}
    if settings and "model" not in ours:
        raise unknown(say("option"), next(iter(settings)), known, choices=True)
    return measured(endpoint, BenchOptions(**ours), settings)


def bench_list() -> Benches:
    """Return the benches that are kept. Raises SourceError."""
    from gyakusan.load_testing.store import Store

    return Benches(Store().every())


def bench_show(number: int) -> Benched:
    """Return a bench that is kept. Raises BadSetting, SourceError."""
    from gyakusan.load_testing.store import Store

    return Benched(Store().read(number))


def bench_import(file: str | Path, *, save: bool = True) -> Benched:
    """Return a result of another load tool, kept like our own. Raises SourceError, BadSetting.

    save: False keeps nothing
    """
    from gyakusan.load_testing.foreign import read_result
    from gyakusan.load_testing.store import Store

    result = read_result(Path(file))
    return Benched(replace(result, number=Store().keep(result)) if save else result)


def measured(
    endpoint: str | None,
    options: BenchOptions,
    settings: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
    on_begin: Callable[[Bench], None] | None = None,
) -> Benched:
    """Return what a bench measured, kept step by step. Raises GyakusanError.

    settings: of machine and engine, where a model is named; on_progress: after each request; on_begin: before the first one
    """
    from gyakusan.load_testing.conditions import Conditions, observed_with
    from gyakusan.load_testing.endpoint import ServerFacts, is_here
    from gyakusan.load_testing.said_and_seen import compare, unpredicted
    from gyakusan.load_testing.session import Bench
    from gyakusan.load_testing.store import Store
    from gyakusan.python import served

    asked = request_of(endpoint, options)
    entry = served.entry_at(endpoint)
    state = observed_with(asked.target.port) if is_here(asked.target) else Conditions
    log = _log_lines(options.log)
    # what cannot be read is said before the load
    before = _planned(options, settings or {}, ServerFacts(slots=1), None) or served.planned_again(entry)
    running = Bench(asked)
    running.on_progress = on_progress or running.on_progress
    if on_begin is not None:
        on_begin(running)
    keeper = _Keeper(running, Store() if options.save else None)
    result = running.run()
    seen = state()
    asked_for = before if options.model is None else _planned(options, settings or {}, running.facts, result)
    keeper.notes += (*served.waiting(result, running.facts.slots), *served.uncompared(entry, asked_for))
    if asked_for is not None:
        found = compare(asked_for, result, running.facts.slots, seen, log)
        result = replace(result, comparisons=found, planned=served.words(asked_for))
        keeper.notes += unpredicted(asked_for, result)
        if options.save and is_here(asked.target):
            keeper.notes += _learned(asked_for, result, seen)
    return Benched(replace(result, number=keeper.finish(result)), tuple(keeper.notes))


def _learned(asked_for: Deployment, result: BenchResult, seen: Conditions) -> Iterator[Message]:
    """Learn from a bench of this computer; what is said of it."""
    from gyakusan.learning import known
    from gyakusan.load_testing.learned_rows import learn, narrower, on_this_computer, rows_of

    if not known.is_on() or not on_this_computer(asked_for):
        return
    try:
        found = learn(rows_of(asked_for, result, seen, "bench"))
    except Failure as error:
        yield say("Not kept: {problem}", problem=error.message)
        return
    share = narrower(asked_for, result) if found.kept else None
    if share is not None and share > 0:
        yield say(
            "The next forecasts for this computer use it: intervals are {n} % narrower than the built-in ones.",
            n=f"{100 * share:.0f}",
        )
    for why in found.reasons:
        yield say("Not learned from: {why}.", why=why)


class _Keeper:
    """Keeps a bench while it runs; a store that cannot be written ends no bench."""

    def __init__(self, running: Any, store: Any) -> None:
        self._running, self._store = running, store
        self._number: int | None = None
        self.notes: list[Message] = []
        running.on_step = self.step

    def step(self, result: StepResult, run: StepRun) -> None:
        """Keep a step."""
        self._try(lambda: self._add(result, run))

    def finish(self, result: BenchResult) -> int | None:
        """Keep the end; the number of the bench, None if it is not kept."""
        if self._number is not None:
            number = self._number
            self._try(lambda: self._store.finish(number, result))
        return self._number if self._store is not None else None

    def _add(self, result: StepResult, run: StepRun) -> None:
        if self._number is None:
            self._number = self._store.begin(self._running.result)
        self._store.add_step(self._number, len(self._running.results) - 1, result, run.records)

    def _try(self, what: Callable[[], None]) -> None:
        if self._store is None:
            return
        try:
            what()
        except Failure as error:
            self._store = None
            self.notes.append(say("Not kept: {problem}", problem=error.message))


def _target(endpoint: str | None, key_file: str | Path | None) -> Target:
    """Return where requests go: to an address, or to a server that gyakusan started. Raises UsageError."""
    from gyakusan.load_testing.endpoint import is_host, target_of
    from gyakusan.python.files import key_of
    from gyakusan.serving.running_servers import NAME, find_running, running

    named = endpoint is not None and NAME.fullmatch(endpoint) is not None
    if endpoint is None or (named and (any(e.name == endpoint for e in running()) or not is_host(endpoint))):
        found = find_running(endpoint)
        endpoint, key_file = found.url, key_file or found.key_file
    return target_of(endpoint, None if key_file is None else key_of(key_file))


def request_of(endpoint: str | None, options: BenchOptions) -> BenchRequest:
    """Return what a bench does. Raises UsageError, SourceError."""
    from gyakusan.load_testing.prompts import own_prompts
    from gyakusan.load_testing.session import BenchRequest, check_request
    from gyakusan.load_testing.workload import Limits, parse_objectives, parse_seconds

    o = options
    limits = Limits(
        parse_seconds(str(o.seconds)),
        _requests(o.requests),
        parse_seconds(str(o.silence)),
        parse_seconds(str(o.longest)),
    )
    objectives = tuple(goal for text in (o.until, o.slo) if text for goal in parse_objectives(text))
    target = _target(endpoint, o.key_file)
    asked = BenchRequest(
        target=target,
        steps=_steps(o, target),
        limits=limits,
        objectives=objectives,
        ramp=o.until is not None,
        model=o.model_name,
        own=() if o.prompts is None else own_prompts(Path(o.prompts)),
        seed=o.seed if o.seed is not None else secrets.randbelow(2**31),
        task="" if o.prompt is not None and o.answer is not None else o.task,
        localscore=o.localscore,
    )
    check_request(asked)
    _check_enough(asked.steps, limits.requests)
    return asked


def _requests(count: int | None) -> int | None:
    if count is not None and not 1 <= count <= 10**7:
        raise BadSetting("{key} cannot be {value}.", key="--requests", value=count, mend="Give 1 or more.")
    return count


def _check_enough(steps: Iterable[Step], requests: int | None) -> None:
    """Raise BadSetting where some of the people of a load would ask nothing."""
    most = max((s.users for s in steps), default=0)
    if requests is not None and requests < most:
        raise BadSetting(
            "--requests {requests} leaves some of the {users} people without a request.", requests=requests, users=most,
            mend="Give --requests {users} or more, or fewer --users.",
        )  # fmt: skip


def _steps(o: BenchOptions, target: Target) -> tuple[Step, ...]:
    """Return the loads. Raises UsageError."""
    from gyakusan.load_testing import localscore
    from gyakusan.load_testing.endpoint import usual_users
    from gyakusan.load_testing.session import steps_of
    from gyakusan.load_testing.workload import Step, parse_depths, parse_users, shape_of
    from gyakusan.planning.request.request_rate import parse_request_rate
    from gyakusan.units import parse_count

    if o.localscore:
        return localscore.steps(None)
    if o.users is not None and o.rate is not None:
        raise BadSetting("--users and --rate were given together.", mend="Give one of them.")
    prompt, answer = (None if n is None else parse_count(str(n), at_most=2**24) for n in (o.prompt, o.answer))
    shape = shape_of(o.task, prompt, answer, parse_count(str(o.prefix), at_least=0, at_most=2**24))
    depths = parse_depths(o.depths) if o.depths else ()
    if o.rate is not None:
        return steps_of([Step(shape, rate=parse_request_rate(o.rate))], depths)
    usual = (1,) if o.until is not None or o.depths is not None or o.users is not None else usual_users(target)
    users = usual if o.users is None else parse_users(str(o.users))
    return steps_of([Step(shape, users=n) for n in users], depths)


def _log_lines(path: str | Path | None) -> tuple[str, ...]:
    """Return the lines of a server's log. Raises BadReference, SourceError."""
    if path is None:
        return ()
    from gyakusan.doors.files import whole

    return tuple(whole(path, LARGEST_LOG).decode("utf-8", "replace").splitlines())


def _planned(
    options: BenchOptions, settings: Mapping[str, Any], facts: ServerFacts, result: BenchResult | None
) -> Deployment | None:
    """Return what was planned for the server, with the slots and the context that it tells. Raises GyakusanError."""
    if options.plan is not None and options.model is not None:
        raise BadSetting("--plan and --model were given together.", mend="Give one of them.")
    if options.plan is not None:
        from gyakusan.planning.request.parse_request import parse_request
        from gyakusan.planning.select.recommend import recommend
        from gyakusan.python.files import question_of

        plans = recommend(parse_request(question_of(Path(options.plan)))).plans
        if not plans:
            raise BadSetting(
                "The question in {file} has no plan.", file=str(options.plan), mend="See `gyakusan plan {file}`."
            )
        return plans[0].deployment
    if options.model is None:
        return None
    from gyakusan.python.options import deployed

    users = facts.slots or max((s.step.users for s in (result.steps if result else ())), default=1) or 1
    context = options.context or facts.context
    return deployed(options.model, dict(settings), context=context, users=users, engine=options.engine)
