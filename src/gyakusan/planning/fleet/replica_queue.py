"""Replicas as one queue: time of a prompt and of a decode step, and the waits under random arrivals."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import structs

from gyakusan.core import queue
from gyakusan.core.machine import Machine
from gyakusan.core.queue import QueueEstimate
from gyakusan.core.roofline import SpeedConstants
from gyakusan.planning.evaluate.sustainable_rate import machine_timing
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.planning.request.request import PlanRequest

NETWORK_LATENCY = 30e-6
"""Time of one message between machines. Assumed: InfiniBand takes a few microseconds, Ethernet with TCP 30 to 50. [s]"""


@dataclass(frozen=True, slots=True)
class StepTime:
    """Time of a decode step, without the other users' prompts.

    users: conversations that are answered at once
    expected: time at the expected speed [s]
    slow: time at the lower end of the speed's 80 % interval [s]
    """

    users: int
    expected: float
    slow: float


@dataclass(frozen=True, slots=True)
class ReplicaQueue:
    """A replica as a queue with slots; several behind a balancer are one queue over all their slots (core.queue).

    slots: conversations that are answered at once in each pipeline stage
    stages: pipeline stages, each with its own conversations
    prefill: time of a prompt at the expected speed [s]
    slow_prefill: time of a prompt at the lower end of the speed's 80 % interval [s]
    step_times: times of a decode step, by rising users
    generated_tokens: output tokens of a request, with reasoning [tokens]
    """

    slots: int
    stages: int
    prefill: float
    slow_prefill: float
    step_times: tuple[StepTime, ...]
    generated_tokens: float

    def step(self, users: float, *, slow: bool = False) -> float:
        """Return the time of a decode step of `users` in one stage, interpolated between `step_times` [s].

        slow: at the lower end of the speed's 80 % interval
        """
        before = after = self.step_times[0]
        for after in self.step_times:
            if after.users >= users:
                break
            before = after
        low, high = (before.slow, after.slow) if slow else (before.expected, after.expected)
        if after.users <= before.users:
            return float(high)
        fraction = (users - before.users) / (after.users - before.users)
        return float(low + (high - low) * min(1.0, fraction))

    def sustainable_rate(self, replicas: int = 1) -> float:
        """Return the rate for which all slots suffice 99 % of the time, at the lower end of the speed's interval [1/s]."""
        work = self.generated_tokens * self.step(self.slots, slow=True)
        return float(queue.sustainable_rate(self.slow_prefill, work, self.slots, replicas=replicas * self.stages))

    @property
    def saturation_rate(self) -> float:
        """Rate at which every slot is taken [1/s]."""
        answer = self.generated_tokens * self.step(self.slots)
        return float(self.stages * queue.saturation_rate(self.prefill, answer, self.slots))

    def replicas_needed(self, rate: float, most: int) -> int:
        """Return the fewest replicas that sustain a rate, most + 1 if `most` do not. rate: of all requests [1/s]."""
        work = self.generated_tokens * self.step(self.slots, slow=True)
        servers = queue.replicas_needed(rate, self.slow_prefill, work, self.slots, most * self.stages)
        return -(-int(servers) // self.stages)

    def at(self, rate: float, replicas: int = 1, *, slow: bool = False) -> QueueEstimate:
        """Return the queue of all replicas and their stages. rate: of all requests [1/s]; slow: see `step`."""
        servers = replicas * self.stages
        found = queue.estimate_queue(
            rate,
            self.slow_prefill if slow else self.prefill,
            lambda n: self.step(n, slow=slow),
            self.generated_tokens,
            self.slots,
            replicas=servers,
        )
        return structs.replace(found, slots=min(found.slots, self.slots * servers))

    def working(self, rate: float, replicas: int) -> float:
        """Return the share of the time in which a replica's devices work. rate: of all requests [1/s]."""
        return float(self.at(rate, replicas).working)


def replica_queue(
    request: PlanRequest,
    speeds: dict[int, SpeedEstimate],
    thinking: float,
    machine: Machine,
    engine: str,
    stages: int,
) -> ReplicaQueue:
    """Return the queue of a replica; the most conversations in `speeds` are its slots.

    speeds: speed of one pipeline stage, by conversations in it
    thinking: generated tokens with reasoning for each visible token
    """
    constants, interleaved = machine_timing(machine, engine) or (SpeedConstants(), False)
    slots, prompt = max(speeds), request.workload.prompt_tokens
    prefill = speeds[slots].prefill
    return ReplicaQueue(
        slots=slots,
        stages=stages,
        prefill=prompt / prefill.value,
        slow_prefill=prompt / prefill.low,
        step_times=tuple(_step_time(request, s, n, constants, interleaved) for n, s in sorted(speeds.items())),
        generated_tokens=request.workload.output_tokens * thinking,
    )


def _step_time(
    request: PlanRequest, speed: SpeedEstimate, users: int, constants: SpeedConstants, interleaved: bool
) -> StepTime:
    workload = request.workload
    expected, slow = (
        queue.step_without_prefills(
            1 / decode, workload.prompt_tokens / prefill, users, workload.output_tokens, constants, interleaved
        )
        for decode, prefill in (
            (speed.decode_each.value, speed.prefill.value),
            (speed.decode_each.low, speed.prefill.low),
        )
    )
    return StepTime(users, float(expected), float(max(expected, slow)))


def pipeline_speed(
    speed: SpeedEstimate, stages: int, users: int, hop_time: float, prompt_hop_time: float
) -> SpeedEstimate:
    """Return the speed of a pipeline over machines from that of one machine which holds all layers.

    Each stage works on its own share of the conversations; a token passes all machines and the network between them.
    users: conversations in all stages
    hop_time, prompt_hop_time: to send one decode step, or one prompt, to the next machine [s]
    """
    step_delay, prompt_delay = stages * hop_time, (stages - 1) * prompt_hop_time
    each = _delayed_rate(speed.decode_each, step_delay)
    return structs.replace(
        speed,
        decode_each=each,
        tpot=_delayed_time(speed.tpot, step_delay),
        ttft=_delayed_time(speed.ttft, prompt_delay + step_delay),
        decode_all=_scaled(each, users),
        throughput=_scaled(speed.throughput, stages * each.value / speed.decode_each.value),
    )


def _delayed_rate(speed: Estimate, delay: float) -> Estimate:
    value, low, high = (1 / (1 / v + delay) for v in (speed.value, speed.low, speed.high))
    return structs.replace(speed, value=value, low=low, high=high)


def _delayed_time(time: Estimate, delay: float) -> Estimate:
    return structs.replace(time, value=time.value + delay, low=time.low + delay, high=time.high + delay)


def _scaled(speed: Estimate, factor: float) -> Estimate:
    return structs.replace(speed, value=speed.value * factor, low=speed.low * factor, high=speed.high * factor)


def pipeline_hop(users: int, width: float, network: float, latency: float = NETWORK_LATENCY) -> float:
    """Return the time to send a decode step of `users` tokens to the next machine [s].

    width: of the hidden state, in 16-bit values; network [B/s]; latency: of one message [s]
    Source: vLLM sends the hidden state, and for most models the residual with it, between stages
    (sequence.IntermediateTensors): two vectors for each token.
    """
    return latency + users * width * 2 * 2 / network
