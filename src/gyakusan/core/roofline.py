"""Time of prefill and decode on a device, and what many users get of it: a roofline with fitted constants.

Reading takes bytes / bandwidth, computing takes operations / peak rate, and each layer and step adds a fixed cost. Two parts
that overlap are joined as the root of the sum of their squares. Roofline: Williams, Waterman and Patterson 2009, "Roofline:
an insightful visual performance model for multicore architectures", CACM 52(4). The shares of the peaks and the fixed costs
are fitted on published measurements by tools/fit_speed.py: docs/en/accuracy.md judges them, SpeedConstants names them.
Every number may be an array; shapes broadcast.
"""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum, minimum, where
from gyakusan.core.traffic import ModelShape, expected_distinct_expert_share

GROUP = 4
"""Rows that kernels of CPUs multiply at once (llama.cpp b11434: ggml-cpu/repack.cpp, llamafile/sgemm.cpp)."""


class ModelDemand(Struct, frozen=True):
    """What one model makes a device read and compute.

    shape: layers, experts and matrices
    dense_bytes: weights that every step reads [B]
    expert_bytes: all routed experts [B]
    cache: keys and values that a step reads for one conversation [B]
    attend: attention of one new token [FLOP]
    state: recurrent state of one conversation [B]
    discarded: attention of one new token over others' tokens in the same cache, which is thrown away [FLOP]
    """

    shape: ModelShape
    dense_bytes: Number
    expert_bytes: Number
    cache: Number = 0.0
    attend: Number = 0.0
    state: Number = 0.0
    discarded: Number = 0.0


class DeviceRates(Struct, frozen=True):
    """What the devices of one model can do.

    bandwidth: of the memory of one device [B/s]
    decode: peak rate of the arithmetic that decoding uses [FLOP/s]
    prefill: peak rate of the arithmetic that prefill uses [FLOP/s]
    half: peak rate of 16-bit attention [FLOP/s]
    parallel: devices that share every layer (tensor parallel)
    nvlink: 1 if GPUs are connected by NVLink, else 0
    between: bandwidth from one device to another, one way; inf = there is no other [B/s]
    small_batch_kernels: 1 if the engine uses separate kernels below 8 rows (llama.cpp), else 0
    stages: devices that hold some layers each and work at several chunks of a prompt at once (llama.cpp's layer split)
    """

    bandwidth: Number
    decode: Number
    prefill: Number
    half: Number
    parallel: Number = 1
    nvlink: Number = 0
    between: Number = float("inf")
    small_batch_kernels: Number = 0
    stages: Number = 1


class SpeedConstants(Struct, frozen=True):
    """Fitted on measurements (docs/en/accuracy.md); the values of a situation stand in catalog/data/speed_constants.json.

    weights: share of the bandwidth reached while weights are read in decode
    cache: share of the bandwidth reached while keys and values are read
    state: share of the bandwidth reached while recurrent states are read and written
    compute: share of the peak rate reached by matrix products in decode
    grouped: what one of GROUP rows or more costs in them, of what a row alone costs (catalog.cpu)
    attend: share of the 16-bit peak rate reached by attention in decode
    layer: cost of each layer in a decode step [s]
    expert: cost of each layer with routed experts, in addition [s]
    hybrid: cost of each recurrent layer, in addition [s]
    fixed: cost of each decode step [s]
    sequence: cost of each conversation after the first in a decode step [s]
    overlap: exponent of the rows in expected_distinct_expert_share; below 1, smoothly, as tokens of one batch choose alike
    few: operations on each byte of the weights that a second row adds (llama.cpp) [FLOP/B]
    many: rows after which all of them cost half of what they would if each cost as much as the second (llama.cpp)
    hop: latency of one sum over all devices [s]
    wire: share of the bandwidth between devices reached in decode
    bus: share of the bandwidth between devices reached in prefill
    mfu: share of the peak rate reached by matrix products in prefill
    routed: the same for routed experts, relative to mfu
    stream: share of the bandwidth reached while weights are read in prefill
    attention: share of the 16-bit peak rate reached by attention in prefill
    rows: rows at which dense matrix products reach half of their rate [tokens]
    rows_routed: rows of one expert at which its matrix products reach half of their rate [tokens]
    chunk: cost of each layer and chunk of a prompt [s]
    scan: share of the bandwidth at which the tokens of a prompt would read and write recurrent states, one after the other
    start: what a server adds to a first token: the request, its words as tokens, the choice of a token [s]
    queue: share of the prompts before it that a first token waits for: 1 when all start together, 0 when they come one by one
    busy: share of the wait for prompts that come one by one: 1 where they do, 0 where all start together
    blend: share of the others' prompts that delays further tokens (vLLM's chunked prefill)
    together: prompts up to this length in all are computed together, and each first token waits for all of them;
        0 = each comes after its own prompt [tokens]
    """

    weights: Number = 0.76
    cache: Number = 0.63
    state: Number = 0.25
    compute: Number = 0.37
    grouped: Number = 1.0
    attend: Number = 0.1
    layer: Number = 57e-6
    expert: Number = 43e-6
    hybrid: Number = 5e-6
    fixed: Number = 158e-6
    sequence: Number = 16e-6
    overlap: Number = 0.86
    few: Number = 4.0
    many: Number = 10.0
    hop: Number = 8e-6
    wire: Number = 0.15
    bus: Number = 0.5
    mfu: Number = 0.35
    routed: Number = 0.5
    stream: Number = 0.57
    attention: Number = 0.2
    rows: Number = 12.0
    rows_routed: Number = 5.0
    chunk: Number = 0.28e-3
    scan: Number = 1.0
    start: Number = 9e-3
    queue: Number = 0.0
    busy: Number = 1.0
    blend: Number = 0.35
    together: Number = 0.0


class StepTime(Struct, frozen=True):
    """Time of one decode step, by cause.

    weights: reading weights [s]
    compute: matrix products, which overlap with reading weights [s]
    cache: reading keys and values, and attention [s]
    state: reading and writing recurrent states [s]
    overhead: fixed costs of layers, step and conversations [s]
    links: sums over devices that share each layer [s]
    """

    weights: Number
    compute: Number
    cache: Number
    state: Number
    overhead: Number
    links: Number

    @property
    def time(self) -> Number:
        """The whole step [s]."""
        weights_and_compute: Number = (self.weights**2 + self.compute**2) ** 0.5
        return weights_and_compute + self.cache + self.state + self.overhead + self.links

    def times(self, count: Number) -> StepTime:
        """Return the time of several such steps, one after the other."""
        return StepTime(*(count * getattr(self, f) for f in self.__struct_fields__))

    @property
    def bottleneck(self) -> str:
        """The cause that takes longest: weights, compute, cache, state, overhead or links. Scalars only."""
        names = ("weights", "compute", "cache", "state", "overhead", "links")
        return max(names, key=lambda n: float(getattr(self, n)))


def decode_step(demand: ModelDemand, batch: Number, device: DeviceRates, k: SpeedConstants) -> StepTime:
    """Return the time of one token for each of `batch` conversations [s].

    Weights are read once for the whole batch, of routed experts those that any token chooses; the rest grows with the batch.
    Roofline with the constants of `k`, fitted on measurements: docs/en/accuracy.md, speed_constants.json.
    """
    shape = demand.shape
    touched = expected_distinct_expert_share(batch, shape.experts, shape.experts_used, _below_one(k.overlap))
    rows = batch * shape.experts_used / shape.experts / touched
    dense = demand.dense_bytes * _small_batch_factor(batch, device, k)
    read = dense + demand.expert_bytes * touched * _small_batch_factor(rows, device, k)
    gather = batch * demand.cache / (device.parallel * device.bandwidth * _below_one(k.cache))
    attend = batch * demand.attend / (device.parallel * device.half * k.attend)
    if (
        is_array(demand.discarded) or demand.discarded
    ):  # rows that pass over the same tokens: products of matrices, as a prompt's
        attend = attend + batch * demand.discarded / (device.parallel * device.half * k.attention)
    per_layer = k.layer + k.expert * shape.moe_share + k.hybrid * shape.recurrent_share
    each = where(batch >= GROUP, k.grouped, 1.0)
    return StepTime(
        weights=read / (device.parallel * device.bandwidth * _below_one(k.weights)),
        compute=2 * shape.active * batch * each / (device.parallel * device.decode * _below_one(k.compute)),
        cache=(gather**2 + attend**2) ** 0.5,
        state=batch * 2 * demand.state / (device.parallel * device.bandwidth * _below_one(k.state)),
        overhead=shape.layers * per_layer + k.fixed + (batch - 1) * k.sequence,
        links=_link_time(shape, batch, device, k),
    )


def expected_batches(active: Number, slots: Number) -> Number:
    """Return in how many batches a step of `active` of `slots` conversations is computed, in the mean.

    llama.cpp with a cache for each slot computes only neighbouring slots together (b11434: src/llama-kv-cache.cpp,
    init_batch; src/llama-batch.cpp, split_equal with sequential). Where each set of slots is as likely, runs of neighbours
    are active (slots - active + 1) / slots in number (Wald and Wolfowitz 1940). Measured: docs/decisions/0036.
    """
    room = maximum(active, slots)
    return maximum(1.0, active * (room - active + 1) / maximum(1.0, room))


def prefill_time(
    demand: ModelDemand,
    prompt: Number,
    chunk_tokens: Number,
    attention: Number,
    device: DeviceRates,
    k: SpeedConstants,
) -> Number:
    """Return the time of a prompt of `prompt` tokens that is computed in chunks of `chunk_tokens` [s].

    attention: of the whole prompt (Traffic.attention) [FLOP]. A matrix product of n rows reaches n / (n + k.rows) of its
    rate (fitted: rows, rows_routed in speed_constants.json). Tensor parallel computing gains devices^0.9 (assumed), and sums
    2 vectors a layer over all devices in a ring: 2 (n - 1) / n of the bytes each way (Patarasuk and Yuan 2009, "Bandwidth
    optimal all-reduce algorithms", JPDC 69). A pipeline of m stages takes chunks + m - 1 rounds (Huang et al. 2019, GPipe).
    Recurrent layers take the tokens of a prompt one after the other (fitted: scan).
    """
    shape = demand.shape
    chunk = maximum(1, minimum(prompt, chunk_tokens))
    chunks = maximum(1, prompt / chunk)
    rate = device.prefill * device.parallel**0.9 * _below_one(k.mfu)
    rows = chunk * shape.experts_used / shape.experts
    dense = 2 * shape.matrices * chunk * (1 + k.rows / chunk) / rate
    routed = 2 * shape.expert_matrices * rows * (1 + k.rows_routed / rows) / (rate * k.routed)
    touched = expected_distinct_expert_share(chunk, shape.experts, shape.experts_used, 1.0)
    read = demand.dense_bytes + demand.expert_bytes * touched
    stream = read / (device.parallel * device.bandwidth * _below_one(k.stream))
    scan = 2 * demand.state * chunk / (device.parallel * device.bandwidth * k.scan)
    one_chunk = ((dense + routed) ** 2 + stream**2) ** 0.5 + shape.layers * k.chunk + scan
    attend = attention / (device.half * device.parallel * k.attention)
    bytes_between = 2 * shape.layers * prompt * shape.width * 4 * (device.parallel - 1) / device.parallel
    rounds = (chunks + device.stages - 1) / device.stages
    return rounds * one_chunk + attend * rounds / chunks + bytes_between / (device.between * _below_one(k.bus))


def offloaded(time: Number, host_bytes: Number, host_bandwidth: Number, efficiency: float = 0.85) -> Number:
    """Return the time of a decode step that also reads `host_bytes` of weights in the computer's RAM [s].

    time: of the step on the GPU [s]; host_bytes [B]; host_bandwidth [B/s]. The CPU computes its layers in its turn, so times
    add up (llama.cpp, ggml-backend.cpp, ggml_backend_sched_compute_splits). efficiency: share of the bandwidth by which
    memory is sold; of what a stream test reads it is 0.9 (an RTX 3090 with the experts of Qwen3.6-35B-A3B behind DDR4-2133
    and DDR4-3000, insiderllm-bench-results, CC BY).
    """
    return time + host_bytes / (host_bandwidth * efficiency)


def uploaded(time: Number, host_bytes: Number, link: Number, chunks: Number = 1) -> Number:
    """Return the time of a prompt for which `host_bytes` of weights in RAM cross the bus once for each chunk [s].

    time: of the prompt on the GPU [s]; host_bytes [B]; link: bandwidth of PCIe as it is reached [B/s]. llama.cpp copies a
    layer's weights, then computes with them (ggml-backend.cpp, ggml_backend_sched_compute_splits): times add up.
    """
    return time + chunks * host_bytes / link


def first_token(
    prefill: Number, users: Number, step: Number, answer: Number, k: SpeedConstants, prompt: Number = 0.0
) -> Number:
    """Return the time to the first token with `users` active [s].

    One's own prompt, a decode step that is under way, and the others' prompts: half of them where users start together,
    else those that are there when one comes. queue, busy: catalog.speed_constants.waits. Where m prompts are computed
    together, groups of m come one after the other, and a first token waits for (users + m) / 2 prompts in the mean, its own
    among them; their starts come one after the other, too, as one thread of llama-server does them
    (tools/server/server-context.cpp, update_slots).

    prefill: of one prompt [s]
    step: of all users [s]
    answer: tokens between two prompts [tokens]
    prompt: its length, 0 = not known [tokens]
    """
    group = where(prompt > 0, maximum(1.0, minimum(users, k.together / maximum(prompt, 1.0))), 1.0)
    others = (users + group) / 2 - 1
    meanwhile = _closed_wait(prefill, maximum(1, answer) * later_token(step, prefill, users, answer, k), users)
    alone, each = where(k.together > 0, 0.0, k.start), where(k.together > 0, k.start, 0.0)
    return alone + (prefill + each) * (1 + k.queue * others) + k.busy * meanwhile + where(users > 1, step, 0.0)


def turn_wait(first: Number, token: Number, users: Number, together: Number, answer: Number) -> Number:
    """Return the time to the first token where only `together` of the users are answered at once [s].

    first: of those who are answered [s]; token: each of theirs after it [s]; answer: its length [tokens]. Everybody asks again
    as soon as he is answered, so that a turn of each takes users / together of the turns of those who are answered
    (Little 1961, "A proof for the queuing formula L = lambda W", Operations Research 9).
    """
    return first + (users / together - 1) * (first + answer * token)


def _closed_wait(service: Number, away: Number, users: Number) -> Number:
    """Return how long a prompt waits for those of the others [s], each of whom is away between an answer and the next prompt.

    service: of one prompt; away: time of an answer [s]. Mean value analysis (Reiser and Lavenberg 1980, "Mean-value
    analysis of closed multichain queuing networks", JACM 27) with Schweitzer's closure: who comes finds as many prompts as
    the others have there in the mean, and half of the one that is being computed, as all take as long.
    """
    gap = users * service - away
    root = (gap**2 + 4 * service * away - 2 * service**2 * (users - 1)) ** 0.5
    return maximum(0.0, (gap + root) / 2 - service)


def later_token(step: Number, prefill: Number, users: Number, answer: Number, k: SpeedConstants) -> Number:
    """Return the time of each further token where others' prompts are computed between the steps [s].

    step, prefill [s]; answer [tokens]. Each of the others sends one prompt for each answer, and `k.blend` of it delays a
    token (fitted: blend in speed_constants.json).
    """
    return step + k.blend * prefill * (users - 1) / maximum(1, answer)


def closed_loop(step: Number, prefill: Number, users: Number, answer: Number) -> Number:
    """Return the output tokens per second of all `users`, each asking again as soon as it is answered [tokens/s].

    step, prefill [s]; answer [tokens]. Little's law: users / time of a turn, in which the prompts of all are computed.
    """
    return users * answer / (answer * step + users * prefill)


def open_loop(prefill: Number, tpot: Number, rate: Number) -> tuple[Number, Number, Number]:
    """Return time to first token [s], time of each further token [s] and share of time on prompts, for Poisson arrivals.

    prefill: of one prompt [s]; rate: requests per second [1/s]; tpot: at the number of users that then are in the server [s].
    M/M/1: both grow by 1 / (1 - rho), rho = rate x prefill (Kleinrock 1975, Queueing Systems 1, section 3.2). At a share
    of 0.9 or more the server is saturated.
    """
    busy = minimum(rate * prefill, 0.99)
    return prefill / (1 - busy), tpot / (1 - busy), busy


def _below_one(share_of_peak: Number) -> Number:
    """Limit a fitted share of a peak to less than 1, smoothly."""
    return share_of_peak / (1 + share_of_peak**8) ** (1 / 8)


def _small_batch_factor(rows: Number, device: DeviceRates, k: SpeedConstants) -> Number:
    """Return how much longer reading weights takes for `rows` rows than for one.

    llama.cpp's kernels work on unpacked weights with the ordinary cores (ggml-cuda/mmvq.cuh), so that a chip with many
    operations for each byte of its bandwidth loses little: with 8-bit weights 8 rows take 1.2 times as long as one on a DGX
    Spark, twice as long on an RTX 3090. Each further row adds less than the one before, and none more than a step of its own:
    so nobody is answered faster beside one more person, and all together never slower. That the kernels change after 8 rows
    (MMVQ_MAX_BATCH_SIZE) is not told: some chips lose at that step (Strix Halo, Vega II), others nothing, and no two sources
    measured the same one. Fitted: few, many in speed_constants.json.
    """
    each = k.few * device.bandwidth / device.decode
    more = maximum(rows, 1.0) - 1
    return where(device.small_batch_kernels > 0, 1 + each / (1 + each) * more / (1 + more / k.many), 1.0)


def _link_time(shape: ModelShape, batch: Number, device: DeviceRates, k: SpeedConstants) -> Number:
    """Return the time of two sums over all devices in each layer [s].

    The latency grows with the number of devices over PCIe, not over NVLink. Fitted: hop, wire in speed_constants.json.
    """
    wait = k.hop * where(device.nvlink > 0, 1.0, device.parallel**1.1)
    each = wait + batch * shape.width * 2 / (device.between * _below_one(k.wire))
    return where(device.parallel > 1, 2 * shape.layers * each, 0.0)
