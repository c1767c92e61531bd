"""The result of a bench: what every step gave, with the confidence of each figure, and what was predicted for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gyakusan.load_testing.client import ClientCost
from gyakusan.load_testing.records import FailureKind
from gyakusan.load_testing.workload import Objective, Step


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure with its 95 % confidence interval; both ends None where there are too few values for one.

    value: the figure
    low: lower end
    high: upper end
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a time was spread over the requests of a step. None: another tool's file does not tell it.

    count: values
    mean: with its confidence [s]
    p50: half of the values are smaller, with its confidence [s]
    p90: 90 % are smaller [s]
    p95: 95 % are smaller, with its confidence [s]
    p99: 99 % are smaller [s]
    smallest: of all [s]
    largest: of all [s]
    """

    count: int
    mean: Figure | None = None
    p50: Figure | None = None
    p90: float | None = None
    p95: Figure | None = None
    p99: float | None = None
    smallest: float | None = None
    largest: float | None = None


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Requests of a step that failed in one way.

    kind: why
    count: how many
    status: of HTTP, 0 where there was none
    detail: what the server said of the first one
    """

    kind: FailureKind
    count: int
    status: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one load gave.

    step: the load
    seconds: how long it was measured [s]
    requests: answers that were whole
    failures: by kind, the most frequent first
    prompt_tokens: mean of a request as the server counted, None if it did not [tokens]
    completion_tokens: mean of an answer as the server counted, None if it did not [tokens]
    cached_share: of the prompt tokens, from the server's cache; None if it does not tell
    counted_share: of the answers, those whose tokens the server counted
    pieces_share: pieces of the stream for each token, None if tokens were not counted
    ttft: time to the first token
    tpot: time of each further token, mean of a request
    itl: time between pieces of a stream
    e2e: time of a whole answer
    each: answer tokens a second of one person, from the first token on [tokens/s]
    all: answer tokens a second of everybody, over the whole time; None if no piece came within it [tokens/s]
    prefill: prompt tokens a second of one request; by the server's timings, else prompt over time to the first token
        [tokens/s]
    request_rate: answers a second [1/s]
    goodput: answers a second that keep every limit, None without a limit [1/s]
    good_share: of all requests that were sent, those that keep every limit, None without a limit
    in_flight: requests that were open at a time, mean
    scatter: standard deviation over mean of the speeds of the requests, None for fewer than three
    """

    step: Step
    seconds: float
    requests: int
    failures: tuple[FailureCount, ...] = ()
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    cached_share: float | None = None
    counted_share: float = 0.0
    pieces_share: float | None = None
    ttft: Distribution | None = None
    tpot: Distribution | None = None
    itl: Distribution | None = None
    e2e: Distribution | None = None
    each: Figure | None = None
    all: Figure | None = None
    prefill: Figure | None = None
    request_rate: float = 0.0
    goodput: float | None = None
    good_share: float | None = None
    in_flight: float = 0.0
    scatter: float | None = None

    @property
    def typical_each(self) -> Figure | None:
        """The same for the answer in the middle, which says more of the device: a few wait for others' prompts [tokens/s]."""
        middle = self.tpot.p50 if self.tpot is not None else None
        if middle is None or middle.value <= 0 or self.step.users == 1:
            return self.each
        ends = (None if end is None or end <= 0 else 1 / end for end in (middle.high, middle.low))
        return Figure(1 / middle.value, *ends)

    @property
    def ended_late(self) -> bool:
        """True where answers came, and none of them ended within the time of the load."""
        return bool(self.requests) and self.request_rate == 0

    @property
    def failed(self) -> int:
        """Requests without a whole answer."""
        return sum(f.count for f in self.failures)


@dataclass(frozen=True, slots=True)
class Cause:
    """What probably made a figure differ from its prediction.

    kind: a word for programs
    seen: the figure that says so
    limit: what it is compared with
    """

    kind: str
    seen: float = 0.0
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure, predicted and measured.

    quantity: a word for programs: memory, decode, prefill, ttft or throughput
    label: of a part of the memory and its device, "" for all
    users: people of the step, 0 for memory
    unit: B, tokens/s or s
    predicted: our figure
    low: lower end of the prediction's interval
    high: upper end of the prediction's interval
    measured: what was seen
    cause: of a miss, None for a figure inside the interval
    """

    quantity: str
    label: str
    users: int
    unit: str
    predicted: float
    low: float
    high: float
    measured: float
    cause: Cause | None = None

    @property
    def error_share(self) -> float:
        """Measured against predicted, as a share of the prediction."""
        return self.measured / self.predicted - 1 if self.predicted else 0.0

    @property
    def inside(self) -> bool:
        """True if what was measured lies in the interval, within the rounding of what a server prints."""
        slack = 0.005 * 2**20 if self.unit == "B" else 0.0
        return self.low - slack <= self.measured <= self.high + slack


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A whole bench.

    endpoint: address of the server, without a key
    model: as the server calls it
    server: build of the server, "" if it does not tell
    name: under which gyakusan started the server, "" if it did not
    started: day and time of the begin, in UTC, as ISO 8601
    source: tool that measured: gyakusan, or that of an imported file
    task: whose lengths were taken, "" where both were given
    objectives: limits that were asked for
    ramp: True if people were added until a limit broke
    held: most people, or requests a second, that keep the limits; None without a limit or where none does
    steps: in order of the load
    client: what the client cost, None for an imported result
    interrupted: True if somebody ended it early
    comparisons: predicted and measured, () if nothing was predicted
    planned: what was predicted, in a few words, "" if nothing was
    score: LocalScore, None unless it was asked for
    number: in the store, None if it is not kept
    limit: requests that ended each load, None where the time did
    finished: False for one from the store that was killed, or that runs now
    """

    endpoint: str
    model: str
    started: str
    steps: tuple[StepResult, ...]
    server: str = ""
    name: str = ""
    source: str = "gyakusan"
    task: str = ""
    objectives: tuple[Objective, ...] = ()
    ramp: bool = False
    held: float | None = None
    client: ClientCost | None = None
    interrupted: bool = False
    comparisons: tuple[Comparison, ...] = field(default=())
    planned: str = ""
    score: float | None = None
    number: int | None = None
    limit: int | None = None
    finished: bool = True

    @property
    def outside(self) -> int:
        """Figures that lie outside of what was predicted."""
        return sum(not c.inside for c in self.comparisons)

    def is_late(self, step: StepResult) -> bool:
        """Return True where the answers of a timed load ended, but all of them after its time."""
        return self.source == "gyakusan" and self.limit is None and step.ended_late

    def together(self, step: StepResult) -> Figure | None:
        """Return the speed of everybody, None where it is not known: most pieces of late answers are not in the time [tokens/s].

        One that was kept before it could be None is 0.
        """
        return step.all if step.all is not None and step.all.value and not self.is_late(step) else None


MOST_MEMORY = 6
"""Rows of memory that are shown where one is outside."""


def compared_rows(rows: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons that are shown: of memory the sum and what differs, and all speeds."""
    memory = [r for r in rows if r.quantity == "memory"]
    wrong = [r for r in memory[1:] if not r.inside] if len(memory) > 1 else []
    return [*memory[:1], *wrong[:MOST_MEMORY], *(r for r in rows if r.quantity != "memory")]
