"""The JSON of `gyakusan bench`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import IntervalJson, catalogue_date
from gyakusan.load_testing.failures import failure_mend, failure_message
from gyakusan.load_testing.result import BenchResult, Comparison, Distribution, FailureCount, Figure, StepResult
from gyakusan.load_testing.store import KeptBench
from gyakusan.message import Message


class MeasuredJson(Struct, frozen=True):
    """A measured figure with its 95 % confidence interval.

    value: the figure
    low: lower end, null for too few values
    high: upper end, null for too few values
    """

    value: float
    low: float | None
    high: float | None


class DistributionJson(Struct, frozen=True):
    """How a time was spread over the requests [s].

    count: values
    mean: with its confidence [s]
    p50: half of the values are smaller [s]
    p90: 90 % are smaller [s]
    p95: 95 % are smaller [s]
    p99: 99 % are smaller [s]
    smallest: of all [s]
    largest: of all [s]
    """

    count: int
    mean: MeasuredJson | None
    p50: MeasuredJson | None
    p90: float | None
    p95: MeasuredJson | None
    p99: float | None
    smallest: float | None
    largest: float | None


class FailureJson(Struct, frozen=True):
    """Requests that failed in one way.

    kind: a word for programs
    count: how many
    status: of HTTP, 0 where there was none
    message: what happened
    mend: what to do about it
    """

    kind: str
    count: int
    status: int
    message: Message
    mend: Message


class BenchStepJson(Struct, frozen=True, kw_only=True):
    """What one load gave.

    users: people of whom each asks again at once; 0 where requests came at random times
    rate: requests of everyone together, 0 in a closed loop [1/s]
    prompt: wanted length of a prompt [tokens]
    answer: wanted length of an answer [tokens]
    shared: tokens at the begin of every prompt that all requests share [tokens]
    depth: conversation before the prompt [tokens]
    seconds: how long it was measured [s]
    requests: answers that were whole
    failures: the others, by kind
    prompt_tokens: mean, as the server counted; null if it did not [tokens]
    completion_tokens: mean, as the server counted; null if it did not [tokens]
    cached_share: of the prompt tokens, from the server's cache; null if it does not tell
    counted_share: of the answers, those whose tokens the server counted
    pieces_share: pieces of the stream for each token
    ttft: time to the first token [s]
    tpot: time of each further token [s]
    itl: time between pieces of a stream [s]
    e2e: time of a whole answer [s]
    decode_each: answer tokens a second of one person [tokens/s]
    throughput: answer tokens a second of everybody [tokens/s]
    prefill: prompt tokens a second of one request [tokens/s]
    request_rate: whole answers a second [1/s]
    goodput: answers a second that keep every limit, null without a limit [1/s]
    good_share: of all requests, those that keep every limit, null without a limit
    in_flight: requests that were open at a time, mean
    scatter: standard deviation over mean of the speeds of the requests
    """

    users: int
    rate: float
    prompt: int
    answer: int
    shared: int
    depth: int
    seconds: float
    requests: int
    failures: tuple[FailureJson, ...]
    prompt_tokens: float | None
    completion_tokens: float | None
    cached_share: float | None
    counted_share: float
    pieces_share: float | None
    ttft: DistributionJson | None
    tpot: DistributionJson | None
    itl: DistributionJson | None
    e2e: DistributionJson | None
    decode_each: MeasuredJson | None
    throughput: MeasuredJson | None
    prefill: MeasuredJson | None
    request_rate: float
    goodput: float | None
    good_share: float | None
    in_flight: float
    scatter: float | None


class ClientJson(Struct, frozen=True):
    """What the client that measured cost.

    cpu: of its process for each request [s]
    late: how late it noticed what happened, median [s]
    late_p99: 99 % were noticed sooner [s]
    busy: share of one processor core that it used
    """

    cpu: float
    late: float
    late_p99: float
    busy: float


class ComparisonJson(Struct, frozen=True):
    """One figure that was predicted and measured.

    quantity: memory, decode, prefill, ttft or throughput
    label: part of the memory and its device, "" for the whole
    users: people of the step, 0 for memory
    unit: B, tokens/s or s
    predicted: with its interval
    measured: what was seen
    error_share: measured against predicted
    inside: true if it lies in the interval
    cause: a word for the likely cause of a miss, null where there is none
    """

    quantity: str
    label: str
    users: int
    unit: str
    predicted: IntervalJson
    measured: float
    error_share: float
    inside: bool
    cause: str | None


class BenchJson(Struct, frozen=True, kw_only=True):
    """A bench: `gyakusan bench`.

    schema: name and version of this form
    catalogue: date of the catalogue
    number: in the store, null if it is not kept
    endpoint: address of the server
    model: as the server calls it
    server: build of the server, "" if it does not tell
    started: day and time of the begin, UTC
    source: tool that measured
    interrupted: true if it was ended early
    finished: false if it was killed, or runs now
    limits: limits of times that were asked for
    held: most people, or requests a second, that keep the limits; null without one
    score: LocalScore, null unless it was asked for
    planned: what was predicted, in a few words
    steps: in order of the load
    client: what the client cost, null for an imported bench
    said_and_seen: predicted and measured
    """

    number: int | None
    endpoint: str
    model: str
    server: str
    started: str
    source: str
    interrupted: bool
    finished: bool
    limits: tuple[str, ...]
    held: float | None
    score: float | None
    planned: str
    steps: tuple[BenchStepJson, ...]
    client: ClientJson | None
    said_and_seen: tuple[ComparisonJson, ...]
    schema: Literal["gyakusan/bench/1"] = "gyakusan/bench/1"
    catalogue: str = field(default_factory=catalogue_date)


class KeptBenchJson(Struct, frozen=True):
    """One bench in the list.

    number: in the store
    started: day and time of the begin, UTC
    endpoint: address of the server
    model: as the server calls it
    loads: how many loads were measured
    finished: false if it was killed, or runs now
    """

    number: int
    started: str
    endpoint: str
    model: str
    loads: int
    finished: bool


class BenchListJson(Struct, frozen=True, kw_only=True):
    """All benches that are kept: `gyakusan bench list`.

    schema: name and version of this form
    catalogue: date of the catalogue
    benches: the newest first
    """

    benches: tuple[KeptBenchJson, ...]
    schema: Literal["gyakusan/bench-list/1"] = "gyakusan/bench-list/1"
    catalogue: str = field(default_factory=catalogue_date)


def bench(result: BenchResult) -> BenchJson:
    """Return a bench."""
    cost = result.client
    return BenchJson(
        number=result.number,
        endpoint=result.endpoint,
        model=result.model,
        server=result.server,
        started=result.started,
        source=result.source,
        interrupted=result.interrupted,
        finished=result.finished,
        limits=tuple(o.text for o in result.objectives),
        held=result.held,
        score=result.score,
        planned=result.planned,
        steps=tuple(_step(s, result.endpoint) for s in result.steps),
        client=None if cost is None else ClientJson(cost.cpu, cost.late, cost.late_p99, cost.busy),
        said_and_seen=tuple(_comparison(c) for c in result.comparisons),
    )


def benches(kept: Sequence[KeptBench]) -> BenchListJson:
    """Return the list of benches."""
    rows = (KeptBenchJson(k.number, k.started, k.endpoint, k.model, k.steps, k.finished) for k in kept)
    return BenchListJson(benches=tuple(rows))


def _step(found: StepResult, url: str) -> BenchStepJson:
    shape = found.step.shape
    return BenchStepJson(
        users=found.step.users,
        rate=found.step.rate,
        prompt=shape.prompt,
        answer=shape.answer,
        shared=shape.shared,
        depth=shape.depth,
        seconds=found.seconds,
        requests=found.requests,
        failures=tuple(_failure(f, url) for f in found.failures),
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        cached_share=found.cached_share,
        counted_share=found.counted_share,
        pieces_share=found.pieces_share,
        ttft=_distribution(found.ttft),
        tpot=_distribution(found.tpot),
        itl=_distribution(found.itl),
        e2e=_distribution(found.e2e),
        decode_each=_figure(found.each),
        throughput=_figure(found.all),
        prefill=_figure(found.prefill),
        request_rate=found.request_rate,
        goodput=found.goodput,
        good_share=found.good_share,
        in_flight=found.in_flight,
        scatter=found.scatter,
    )


def _failure(found: FailureCount, url: str) -> FailureJson:
    return FailureJson(found.kind, found.count, found.status, failure_message(found, url), failure_mend(found))


def _figure(found: Figure | None) -> MeasuredJson | None:
    return None if found is None else MeasuredJson(found.value, found.low, found.high)


def _distribution(found: Distribution | None) -> DistributionJson | None:
    if found is None:
        return None
    return DistributionJson(
        count=found.count,
        mean=_figure(found.mean),
        p50=_figure(found.p50),
        p90=found.p90,
        p95=_figure(found.p95),
        p99=found.p99,
        smallest=found.smallest,
        largest=found.largest,
    )


def _comparison(found: Comparison) -> ComparisonJson:
    return ComparisonJson(
        quantity=found.quantity,
        label=found.label,
        users=found.users,
        unit=found.unit,
        predicted=IntervalJson(found.predicted, found.low, found.high),
        measured=found.measured,
        error_share=found.error_share,
        inside=found.inside,
        cause=found.cause.kind if found.cause else None,
    )
