"""Time: what a decode step and a prompt cost on a device, and what many users get of it.

A roofline with a few fitted constants. Bytes over bandwidth, operations over peak, a cost for each layer and step; what
overlaps is joined by the root of the squares. Every number may be an array; shapes broadcast. Method and constants:
a fit to thousands of published measurements (tools/fit_speed.py); catalog/data/speed_constants.json holds the constants.
"""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, where
from gyakusan.core.traffic import expected_distinct_expert_share


@dataclass(frozen=True, slots=True)
class ModelDemand:
    """What one model asks of a device. dense, experts: weights [B]; count, used: experts; layers; mixed, recurrent: shares

    of the layers; width [values]; matrices, output, routed [values] (see core.traffic.Traffic); cache: keys and values of
    one conversation [B]; attend: attention of one new token [FLOP]; state: of one conversation [B].
    """

    dense: Number
    experts: Number
    count: Number
    used: Number
    layers: Number
    mixed: Number
    recurrent: Number
    width: Number
    matrices: Number
    output: Number
    routed: Number
    cache: Number = 0.0
    attend: Number = 0.0
    state: Number = 0.0


@dataclass(frozen=True, slots=True)
class DeviceRates:
    """bandwidth [B/s]; decode, prefill: peak rates of the arithmetic that is used there [FLOP/s]; half: of 16-bit

    attention [FLOP/s]; parallel: devices that share every layer; nvlink: 1 if NVLink joins them; small_batch_kernels: 1 if
    kernels for few rows differ from those for many (llama.cpp); stages: devices that hold one part of the layers each, and
    work at several pieces of a prompt at once (llama.cpp's layer split).
    """

    bandwidth: Number
    decode: Number
    prefill: Number
    half: Number
    parallel: Number = 1
    nvlink: Number = 0
    small_batch_kernels: Number = 0
    stages: Number = 1


@dataclass(frozen=True, slots=True)
class SpeedConstants:
    """Fitted. Shares of the peak: weights, cache, state, compute, attend (decode); mfu, routed, stream, attention (prefill).

    Times [s]: layer, expert, hybrid (for each layer), fixed, sequence, chunk, start, hop. overlap: see traffic.share;
    few, many: what 2 to 8, and more, rows cost more in llama.cpp; wire, bus: bandwidth between devices in decode and in
    prefill [B/s]; rows, rows_routed: rows at which half of the prefill rate is reached [tokens]; queue, busy: how much of
    the others' prompts a first token waits for, at the start and later; blend: how much of them a later token does.
    """

    weights: Number = 0.76
    cache: Number = 0.63
    state: Number = 0.25
    compute: Number = 0.37
    attend: Number = 0.1
    layer: Number = 57e-6
    expert: Number = 43e-6
    hybrid: Number = 5e-6
    fixed: Number = 158e-6
    sequence: Number = 16e-6
    overlap: Number = 0.86
    few: Number = 0.1
    many: Number = 0.4
    hop: Number = 8e-6
    wire: Number = 20e9
    bus: Number = 60e9
    mfu: Number = 0.35
    routed: Number = 0.5
    stream: Number = 0.57
    attention: Number = 0.2
    rows: Number = 12.0
    rows_routed: Number = 5.0
    chunk: Number = 0.28e-3
    start: Number = 9e-3
    queue: Number = 0.9
    busy: Number = 0.5
    blend: Number = 0.35


@dataclass(frozen=True, slots=True)
class StepTime:
    """One decode step, by what it waits for. [s]"""

    weights: Number
    compute: Number
    cache: Number
    state: Number
    overhead: Number
    links: Number

    @property
    def time(self) -> Number:
        """The whole step. [s] Reading weights and computing overlap."""
        both = (self.weights**2 + self.compute**2) ** 0.5
        return both + self.cache + self.state + self.overhead + self.links

    @property
    def bottleneck(self) -> str:
        """What takes longest: weights, compute, cache, state, overhead or links. Scalars only."""
        names = ("weights", "compute", "cache", "state", "overhead", "links")
        return max(names, key=lambda n: getattr(self, n))


def decode_step(work: ModelDemand, batch: Number, device: DeviceRates, k: SpeedConstants) -> StepTime:
    """One token for each of `batch` conversations. [s]"""
    touched = expected_distinct_expert_share(batch, work.count, work.used, k.overlap)
    rows = batch * work.used / work.count / touched
    read = work.dense * _slower(batch, device, k) + work.experts * touched * _slower(rows, device, k)
    active = work.matrices + work.output + work.routed * work.used / work.count
    gather = batch * work.cache / (device.parallel * device.bandwidth * _below_one(k.cache))
    attend = batch * work.attend / (device.parallel * device.half * k.attend)
    per_layer = k.layer + k.expert * work.mixed + k.hybrid * work.recurrent
    return StepTime(
        weights=read / (device.parallel * device.bandwidth * _below_one(k.weights)),
        compute=2 * active * batch / (device.parallel * device.decode * _below_one(k.compute)),
        cache=(gather**2 + attend**2) ** 0.5,
        state=batch * 2 * work.state / (device.parallel * device.bandwidth * _below_one(k.state)),
        overhead=work.layers * per_layer + k.fixed + (batch - 1) * k.sequence,
        links=_links(work, batch, device, k),
    )


def prefill_time(
    work: ModelDemand, prompt: Number, batch_tokens: Number, attention: Number, device: DeviceRates, k: SpeedConstants
) -> Number:
    """A prompt of `prompt` tokens, in pieces of `batch_tokens`. [s] attention: its operations (Traffic.attention) [FLOP]."""
    piece = maximum(1, minimum(prompt, batch_tokens))
    pieces = maximum(1, prompt / piece)
    rate = device.prefill * device.parallel**0.9 * _below_one(k.mfu)
    rows = piece * work.used / work.count
    dense = 2 * work.matrices * piece * (1 + k.rows / piece) / rate
    routed = 2 * work.routed * rows * (1 + k.rows_routed / rows) / (rate * k.routed)
    touched = expected_distinct_expert_share(piece, work.count, work.used, 1.0)
    stream = (work.dense + work.experts * touched) / (device.parallel * device.bandwidth * _below_one(k.stream))
    one = ((dense + routed) ** 2 + stream**2) ** 0.5 + work.layers * k.chunk
    attend = attention / (device.half * device.parallel * k.attention)
    bytes_between = 2 * work.layers * prompt * work.width * 4 * (device.parallel - 1) / device.parallel
    rounds = (pieces + device.stages - 1) / device.stages
    return rounds * one + attend * rounds / pieces + k.start + bytes_between / k.bus


def offloaded(time: Number, host_bytes: Number, host_bandwidth: Number, efficiency: float = 0.65) -> Number:
    """A decode step whose weights partly lie in the computer's RAM. [s] host_bytes: those that one step reads there [B].

    The CPU computes them in its turn, so times add up. Efficiency assumed: no measurement of ours has it.
    """
    return time + host_bytes / (host_bandwidth * efficiency)


def uploaded(time: Number, host_bytes: Number, link: Number, pieces: Number = 1) -> Number:
    """A prompt for which weights in RAM cross the bus once for each piece. [s] link: of PCIe, as it is reached [B/s].

    llama.cpp copies a layer's weights, then computes with them: times add up.
    """
    return time + pieces * host_bytes / link


def first_token(prefill: Number, users: Number, step: Number, answer: Number, k: SpeedConstants) -> Number:
    """Time to the first token. [s] One's own prompt, a decode step that is under way, and others' prompts:

    half of them where users start together (`queue`), and those that arrive meanwhile where users keep asking: their
    share of the server's time, as in an M/D/1 queue (`busy`). step: of all users [s]; answer: tokens between two prompts.
    """
    others = (users - 1) / 2
    meanwhile = minimum(others, (users - 1) * prefill / (maximum(1, answer) * maximum(step, 1e-9)))
    return prefill * (1 + k.queue * others + k.busy * meanwhile) + where(users > 1, step, 0.0)


def later_token(step: Number, prefill: Number, users: Number, answer: Number, k: SpeedConstants) -> Number:
    """Time for each further token while others' prompts are computed between the steps. [s] answer [tokens]."""
    return step + k.blend * prefill * (users - 1) / maximum(1, answer)


def closed_loop(step: Number, prefill: Number, users: Number, answer: Number) -> Number:
    """Answer tokens per second of all `users`, each asking again as soon as it is answered. [tokens/s]"""
    return users * answer / (answer * step + users * prefill)


def open_loop(prefill: Number, tpot: Number, rate: Number) -> tuple[Number, Number, Number]:
    """Poisson arrivals of `rate` requests per second. First token [s], each further token [s], share of time on prompts.

    tpot: at the number of users that then are in the server. At a share of 0.9 or more the server is saturated.
    """
    busy = minimum(rate * prefill, 0.99)
    return prefill / (1 - busy), tpot / (1 - busy), busy


def _below_one(share_of_peak: Number) -> Number:
    """No part runs faster than its peak: a smooth limit at 1."""
    return share_of_peak / (1 + share_of_peak**8) ** (1 / 8)


def _slower(rows: Number, device: DeviceRates, k: SpeedConstants) -> Number:
    """What llama.cpp's kernels for few rows, and the step to those for many, cost more. 1 for one row."""
    few = 1 + k.few * (minimum(rows, 8) - 1)
    return where(device.small_batch_kernels > 0, where(rows <= 1, 1.0, where(rows <= 8, few, 1 + k.many)), 1.0)


def _links(work: ModelDemand, batch: Number, device: DeviceRates, k: SpeedConstants) -> Number:
    """Two sums over all devices for each layer. [s] Latency grows with their number over PCIe, not over NVLink."""
    wait = k.hop * where(device.nvlink > 0, 1.0, device.parallel**1.1)
    each = wait + batch * work.width * 2 / k.wire
    return where(device.parallel > 1, 2 * work.layers * each, 0.0)
