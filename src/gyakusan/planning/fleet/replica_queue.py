"""One replica as a queue: how long a prompt and a step take it, and what people meet at a rate of requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp

from gyakusan.core import queue
from gyakusan.core.machine import Machine
from gyakusan.core.queue import QueueEstimate
from gyakusan.core.roofline import SpeedConstants
from gyakusan.planning.evaluate.sustainable_rate import machine_timing
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.planning.request.request import PlanRequest

LATENCY = 30e-6
"""Of a message between machines. Assumed: InfiniBand takes a few microseconds, Ethernet with TCP 30 to 50. [s]"""


@dataclass(frozen=True, slots=True)
class Point:
    """A step of so many conversations: time, and at the careful end of the 80 % interval. [s]"""

    users: int
    step: float
    careful: float


@dataclass(frozen=True, slots=True)
class ReplicaQueue:
    """slots: conversations at once in each lane; lanes: parts of a pipeline, each with its own conversations; prefill,

    careful: time of a prompt, and at the careful end [s]; points: times of a step; answer: tokens that are generated for
    one, with reasoning [tokens].
    """

    slots: int
    lanes: int
    prefill: float
    careful: float
    points: tuple[Point, ...]
    answer: float

    def step(self, users: int, *, careful: bool = False) -> float:
        """Time of a step of so many in a lane, between the points. [s]"""
        name = "careful" if careful else "step"
        before = after = self.points[0]
        for after in self.points:
            if after.users >= users:
                break
            before = after
        low, high = getattr(before, name), getattr(after, name)
        if after.users <= before.users:
            return float(high)
        share = (users - before.users) / (after.users - before.users)
        return float(low + (high - low) * min(1.0, share))

    @property
    def bearable(self) -> float:
        """Requests a second for which the slots are enough 99 % of the time, at the careful end. [1/s]"""
        work = self.answer * self.step(self.slots, careful=True)
        return float(self.lanes * queue.sustainable_rate(self.careful, work, self.slots))

    @property
    def highest(self) -> float:
        """Requests a second at which every slot is taken. [1/s]"""
        return float(self.lanes * queue.saturation_rate(self.prefill, self.answer * self.step(self.slots), self.slots))

    def at(self, rate: float, *, careful: bool = False) -> QueueEstimate:
        """What people meet at so many requests a second. [1/s] The numbers are those of all lanes."""
        prefill = self.careful if careful else self.prefill
        found = queue.estimate_queue(
            rate / self.lanes, prefill, lambda n: self.step(n, careful=careful), self.answer, self.slots
        )
        return replace(
            found,
            running=found.running * self.lanes,
            slots=min(found.slots, self.slots) * self.lanes,
            highest=found.highest * self.lanes,
        )

    def busy(self, rate: float) -> float:
        """Share of the time in which the devices work: prompts, or somebody is answered. Poisson, as without waiting."""
        each = min(rate, self.highest) / self.lanes
        prompts = min(1.0, each * self.prefill)
        running = each * self.answer * self.step(self.slots) / max(1e-9, 1 - prompts)
        return 1 - (1 - prompts) * exp(-running)


def replica_queue(
    question: PlanRequest, paces: dict[int, SpeedEstimate], thinking: float, machine: Machine, engine: str, lanes: int
) -> ReplicaQueue:
    """A replica whose lanes have these paces, by conversations in a lane; the most of them are its slots."""
    k, interleaved = machine_timing(machine, engine) or (SpeedConstants(), False)
    prompt = question.workload.prompt_tokens
    one = paces[max(paces)].prefill
    points = tuple(Point(n, *_steps(question, p, n, k, interleaved)) for n, p in sorted(paces.items()))
    return ReplicaQueue(
        max(paces), lanes, prompt / one.value, prompt / one.low, points, question.workload.output_tokens * thinking
    )


def _steps(
    question: PlanRequest, found: SpeedEstimate, users: int, k: SpeedConstants, interleaved: bool
) -> tuple[float, float]:
    """Time of a step and at the careful end, without others' prompts. [s]"""
    figure, prompt = found.decode_each, found.prefill
    work = question.workload
    plain = queue.step_without_prefills(
        1 / figure.value, work.prompt_tokens / prompt.value, users, work.output_tokens, k, interleaved
    )
    careful = queue.step_without_prefills(
        1 / figure.low, work.prompt_tokens / prompt.low, users, work.output_tokens, k, interleaved
    )
    return float(plain), float(max(plain, careful))


def pipeline_speed(found: SpeedEstimate, lanes: int, users: int, hop: float, prompt_hop: float) -> SpeedEstimate:
    """The pace of machines in a row, of that of one which held all layers. hop: between two, a step [s]; prompt_hop [s].

    Each lane's conversations are in another machine; a token passes all of them, and the network between.
    """
    wait, late = lanes * hop, (lanes - 1) * prompt_hop
    each = _slower(found.decode_each, wait)
    tpot = replace(found.tpot, **{n: getattr(found.tpot, n) + wait for n in ("value", "low", "high")})
    ttft = replace(found.ttft, **{n: getattr(found.ttft, n) + late + wait for n in ("value", "low", "high")})
    scale = lanes * each.value / found.decode_each.value
    return replace(
        found,
        decode_each=each,
        tpot=tpot,
        ttft=ttft,
        decode_all=replace(each, value=each.value * users, low=each.low * users, high=each.high * users),
        throughput=replace(
            found.throughput, **{n: getattr(found.throughput, n) * scale for n in ("value", "low", "high")}
        ),
    )


def _slower(figure: Estimate, wait: float) -> Estimate:
    return replace(figure, **{n: 1 / (1 / getattr(figure, n) + wait) for n in ("value", "low", "high")})


def pipeline_hop(lane: int, width: float, network: float) -> float:
    """Time in which a step of `lane` conversations passes to the next machine. [s] 16-bit values of `width`; network [B/s].

    Source: vLLM sends hidden states, and for most models the residual beside them, between stages
    (sequence.IntermediateTensors): two vectors for each token.
    """
    return LATENCY + lane * width * 2 * 2 / network
