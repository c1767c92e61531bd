"""How fast a model will be on a machine: every figure with its 80 % interval, its bottleneck, and what others measured.

The arithmetic is core.roofline, the constants catalog.speed_constants, put together by predict.speed_inputs. Where the
shipped measurements have the same device, model and quantisation in the same engine, a figure moves towards them.
"""

from __future__ import annotations

from math import exp, log
from typing import Literal

from msgspec import Struct, structs

from gyakusan.catalog import cpu, measured, speed_names
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.measured import Kind, Measurement
from gyakusan.catalog.speed_constants import Situation, evidence_for, interval_factor
from gyakusan.core import traffic
from gyakusan.core.arrays import Number
from gyakusan.core.machine import Machine
from gyakusan.core.memo import Memo
from gyakusan.core.model import Checkpoint, Model
from gyakusan.core.roofline import ModelDemand, expected_batches
from gyakusan.core.traffic import RoleBits, Traffic
from gyakusan.engines.registry import DEFAULT
from gyakusan.planning.predict.learned import LearnedSpeed, learned_speed
from gyakusan.planning.predict.lineage import lineage_name
from gyakusan.planning.predict.speed_inputs import (
    NO_HOST_WEIGHTS,
    UNCORRECTED,
    UNKNOWN_CHIP_FACTOR,
    Corrections,
    HostWeights,
    SpeedInputs,
    answered_together,
    chip_of,
    situation_of,
    speed_inputs,
)

Basis = Literal["derived", "assumed", "measured", "measured_here"]
MEASUREMENT_WEIGHT = 0.75
"""How far a measurement of the same thing moves a prediction: the power of measured / predicted (study: 0.5 to 1)."""
UNKNOWN_ACCEPTANCE = 1.2
"""Further factor of the interval where drafts are checked: prose accepts fewer of them, code more (core/speculation)."""
PASSES = {"cuda": (True, True), "rocm": (True, True), "vulkan": (True, False)}
"""Backend -> whether attention multiplies with others' tokens of a unified cache and discards them: for answers, for prompts.

CUDA's kernels skip nothing below 1,024 rows of one stream (ggml-cuda/fattn-common.cuh, launch_fattn). From there on, with a
physical batch of 1,024 or more, they leave out what lies behind the last cell that a tile of rows sees
(flash_attn_mask_to_KV_max); others' cells before it are multiplied. Who came first decides how many: this saving is not
counted. Vulkan's skip what is masked from 32 rows (ggml-vulkan.cpp, use_mask_opt); Metal's skip blocks (fa_vec_common.metal,
flash_attn_ext_blk), CPUs single tokens (ggml-cpu/ops.cpp, flash_attn_ext_f16_one_chunk): as llama-cpp-python 0.3.36 has them."""
RULE_OF_THUMB = 0.55
"""Share of the bandwidth by which people usually divide the bytes of a token."""
KINDS: tuple[Kind, ...] = ("decode", "prefill", "ttft", "throughput")


class Estimate(Struct, frozen=True):
    """A predicted figure.

    value: the centre, in the figure's own unit
    low: lower end of the 80 % interval
    high: upper end of the 80 % interval
    basis: derived (the device was measured), measured (moved by measurements of the same thing), assumed (a new device),
        measured_here (moved by measurements of this computer)
    slice: group of measurements whose errors the interval comes from
    coverage: share of measurements that such intervals held when they were tested, None = not tested
    """

    value: float
    low: float
    high: float
    basis: Basis
    slice: str
    coverage: float | None


class SpeedEstimate(Struct, frozen=True):
    """Speeds of one model on one machine for one turn.

    prefill: prompt tokens per second of one user alone [tokens/s]
    decode_each: output tokens per second of each user while all are answered [tokens/s]
    decode_all: output tokens per second of all users while all are answered [tokens/s]
    throughput: output tokens per second of all users, each asking again at once, prompts included [tokens/s]
    ttft: time to first token with all users active [s]
    tpot: time of each further token with all users active [s]
    bottleneck: what a decode step waits for: weights, compute, cache, state, overhead, links or host
    points: measurements of the same device, model and quantisation
    chip: name of the chip that the figures were computed for
    usual: the rule of thumb to compare, bandwidth x 0.55 / bytes of a token [tokens/s]
    measurements_here: of this computer, from which the device's speeds were learned
    measured_on: day of the newest one, ISO 8601, "" without any
    """

    prefill: Estimate
    decode_each: Estimate
    decode_all: Estimate
    throughput: Estimate
    ttft: Estimate
    tpot: Estimate
    bottleneck: str
    points: tuple[Measurement, ...]
    chip: str
    usual: float
    measurements_here: int = 0
    measured_on: str = ""


class TurnShape(Struct, frozen=True):
    """What users do with the model, and how the engine computes it.

    users: conversations that are answered at once
    prompt: length of a prompt [tokens]
    answer: output tokens [tokens]
    depth: tokens of the conversation before the prompt [tokens]
    chunk: prompt tokens that are computed at once [tokens]
    parallel: devices that share each layer
    stages: devices that hold some layers each
    value_bytes: of one cached value [B]
    style: wave (users start together) or steady
    host: weights in the computer's RAM beside a GPU
    threads: of a CPU that computes, 0 = as many as the machine has cores
    drafts: tokens drafted for each step, 0 = no speculative decoding [tokens]
    slots: separate caches of the server, of which only neighbours are computed together; 1 = all are
    kept: conversations that stay in one cache of all while they are idle, 0 = they leave it, None = there is no such cache
    together: users that are answered at once, the others wait; 0 = as many as the engine's defaults allow
    """

    users: int = 1
    prompt: float = 1024
    answer: float = 256
    depth: float = 0
    chunk: float = 512
    parallel: int = 1
    stages: int = 1
    value_bytes: float = 2
    style: str = "steady"
    host: HostWeights = NO_HOST_WEIGHTS
    threads: int = 0
    drafts: int = 0
    slots: int = 1
    kept: int | None = None
    together: int = 0

    @property
    def context(self) -> float:
        """Mean length of a conversation while it is answered [tokens]."""
        return self.depth + self.prompt + self.answer / 2

    @property
    def others(self) -> int:
        """Conversations besides one's own whose tokens lie in the same cache, as long as one's own."""
        return 0 if self.kept is None else max(self.users, self.kept) - 1


def estimate_speed(
    model: Model, machine: Machine, engine: str = DEFAULT, turn: TurnShape | None = None, *, learned: bool = True
) -> SpeedEstimate | None:
    """Return the speeds of `model` on `machine`, on its CPU if it has no GPU; None where the bandwidth is not known.

    learned: False for what is built in, whatever was measured on this computer
    """
    turn = turn or TurnShape()
    turn = structs.replace(turn, together=answered_together(turn.users, turn.together, engine, model.architecture))
    chip = chip_of(machine)
    if chip is None:
        return None
    if chip.family == cpu.CPU:
        turn = structs.replace(turn, threads=turn.threads or machine.cores)
    situation = situation_of(machine, chip, engine, model=_name(model), style=turn.style)
    quant = _quant(model, situation.server)
    situation = structs.replace(situation, quant=quant.group)
    points = measured.measurements(chip.name, _name(model), quant.label)
    here = learned_speed(chip, situation, turn.users, turn.threads, use=learned)
    return _estimate(traffic_of(model), chip, situation, turn, points, here)


def of_replicas(speed: SpeedEstimate | None, replicas: int) -> SpeedEstimate | None:
    """Return the speeds of several copies, each with its share of the users, from those of one copy."""
    if speed is None or replicas == 1:
        return speed
    return structs.replace(
        speed, decode_all=_times(speed.decode_all, replicas), throughput=_times(speed.throughput, replicas)
    )


def _times(figure: Estimate, factor: float) -> Estimate:
    return structs.replace(figure, value=figure.value * factor, low=figure.low * factor, high=figure.high * factor)


_TRAFFIC = Memo[Traffic](maxsize=1)


def traffic_of(model: Model) -> Traffic:
    """The bytes of a model: of its tensors as they are stored, or by what its checkpoint says of its quantisation."""
    checkpoint = model.checkpoint
    return _TRAFFIC.get(model, None, lambda: traffic.from_model(model, stored_bits(checkpoint) if checkpoint else None))


def stored_bits(checkpoint: Checkpoint) -> RoleBits:
    """Bits by role of a Hugging Face checkpoint."""
    plain = 32.0 if checkpoint.dtype == "F32" else 16.0
    if not checkpoint.method:
        return RoleBits(plain, plain, plain, plain)
    scales = 8 * checkpoint.scale / checkpoint.group if checkpoint.group > 0 else 0.0
    bits = checkpoint.bits + scales * (1 if checkpoint.symmetric else 1.5)
    unquantized = " ".join(checkpoint.unquantized)
    return RoleBits(
        attention=plain if "attn" in unquantized else bits,
        linear=bits,
        experts=bits,
        output=bits if checkpoint.method == "mlx" else plain,
    )


def _name(model: Model) -> str:
    """The name under which measurements know it: of the catalogue's model that it is, else what its own name means."""
    known = lineage_name(model)
    return speed_names.model_name(known or model.name) or known


def _quant(model: Model, server: bool) -> speed_names.Quant:
    checkpoint = model.checkpoint
    text = model.quantization if checkpoint is None else f"{checkpoint.method} {checkpoint.bits:g}bit {model.name}"
    if checkpoint is not None and not checkpoint.method:
        return speed_names.sixteen_bit(server)
    name = _name(model)
    return speed_names.parse_quant(text, model=name, server=server) or speed_names.sixteen_bit(server)


def _inputs(
    read: Traffic, chip: Chip, situation: Situation, turn: TurnShape, learned: Corrections = UNCORRECTED
) -> SpeedInputs:
    answers, prompts = PASSES.get(situation.api, (False, False))
    others = turn.others if answers else 0
    demand = ModelDemand(
        shape=read.shape,
        dense_bytes=read.dense_bytes,
        expert_bytes=read.expert_bytes,
        cache=read.cache(turn.context, turn.value_bytes) * max(1.0, (others + 1) / turn.users),
        attend=read.attention(1, turn.context),
        discarded=read.attention(1, turn.context) * others,
        state=read.state,
    )
    return speed_inputs(
        demand,
        _own_attention(read, situation, turn)
        + prompts * turn.others * read.attention(turn.prompt, turn.context, absorbed=not situation.server),
        chip,
        situation,
        users=turn.users,
        prompt=turn.prompt,
        answer=turn.answer,
        chunk=turn.chunk,
        parallel=turn.parallel,
        stages=turn.stages,
        threads=turn.threads,
        host=turn.host,
        learned=learned,
        drafts=turn.drafts,
        batches=expected_batches(turn.users, turn.slots),
        together=turn.together,
    )


def _own_attention(read: Traffic, situation: Situation, turn: TurnShape) -> Number:
    """Return the attention of a prompt over its own conversation [FLOP]."""
    return read.attention(turn.prompt, turn.depth, absorbed=not situation.server)


class _Figures(Struct, frozen=True):
    """Predictions without measurements of the same thing: decode, prefill and throughput [tokens/s], ttft [s]."""

    decode: float
    prefill: float
    ttft: float
    throughput: float
    bottleneck: str


def _figures(
    read: Traffic, chip: Chip, situation: Situation, turn: TurnShape, learned: Corrections = UNCORRECTED
) -> _Figures:
    inputs = _inputs(read, chip, situation, turn, learned)
    prefill, gpu_step = inputs.prefill_time(), inputs.gpu_step()
    step, gain = inputs.step_time(gpu_step), inputs.gain()
    own = (
        structs.replace(inputs, attention=_own_attention(read, situation, turn)).prefill_time()
        if turn.others
        else prefill
    )
    alone = own + (inputs.constants.start if situation.server else 0.0)  # as their speeds of prompts are measured
    return _Figures(
        decode=float(gain / inputs.token_time(step, prefill)),
        prefill=float(turn.prompt / alone),
        ttft=float(inputs.first_token(step, prefill)),
        throughput=float(inputs.throughput(step / gain, prefill)),
        bottleneck="host" if turn.host.read and step > 2 * gpu_step.time else gpu_step.bottleneck,
    )


def _estimate(
    read: Traffic,
    chip: Chip,
    situation: Situation,
    turn: TurnShape,
    points: tuple[Measurement, ...],
    here: LearnedSpeed,
) -> SpeedEstimate:
    plain = _figures(read, chip, situation, turn, here.corrections)
    estimates = {}
    for kind in KINDS:
        value = float(getattr(plain, kind))
        moved = value * _correction(kind, read, chip, situation, turn, points)
        estimates[kind] = _interval(kind, value, moved, 1 if kind == "prefill" else turn.users, chip, situation, here)
    if turn.host.read:
        estimates = {kind: _widened(e, UNKNOWN_CHIP_FACTOR) for kind, e in estimates.items()}
    if turn.drafts:
        estimates |= {kind: _widened(estimates[kind], UNKNOWN_ACCEPTANCE) for kind in ("decode", "throughput")}
    decode = estimates["decode"]
    all_users = {n: getattr(decode, n) * turn.together for n in ("value", "low", "high")}
    return SpeedEstimate(
        prefill=estimates["prefill"],
        decode_each=decode,
        decode_all=structs.replace(decode, **all_users),
        throughput=estimates["throughput"],
        ttft=estimates["ttft"],
        tpot=structs.replace(decode, value=1 / decode.value, low=1 / decode.high, high=1 / decode.low),
        bottleneck=plain.bottleneck,
        points=points,
        chip=chip.name,
        usual=float(chip.bandwidth * turn.parallel * RULE_OF_THUMB / read.bytes_per_token),
        measurements_here=here.measurements_here,
        measured_on=here.date,
    )


def _interval(
    kind: Kind, value: float, moved: float, users: int, chip: Chip, situation: Situation, here: LearnedSpeed
) -> Estimate:
    """Return a figure with its 80 % interval. value: the prediction; moved: towards measurements of the same thing."""
    factor = float(here.factors[kind])
    here_measured = kind in here.own
    basis: Basis = "measured_here" if here_measured else "assumed"
    if chip.family == cpu.CPU:
        return Estimate(value, value / factor, value * factor, basis, "cpu", None)
    about = interval_factor(kind, situation, users)[1]
    if not here_measured and evidence_for(situation) != "nothing":
        basis = "measured" if moved != value else "derived"
    coverage = None if here_measured else about["coverage"]  # it was tested without what is learned
    return Estimate(moved, moved / factor, moved * factor, basis, str(about["slice"]), coverage)


def _widened(figure: Estimate, factor: float) -> Estimate:
    """Widen the interval: few measurements have weights in two memories, and nobody knows what drafts are accepted."""
    low, high = figure.low / factor, figure.high * factor
    return structs.replace(figure, low=low, high=high, basis="assumed")


def _correction(
    kind: Kind, read: Traffic, chip: Chip, situation: Situation, turn: TurnShape, points: tuple[Measurement, ...]
) -> float:
    """Return measured / predicted of the same thing, to the power of MEASUREMENT_WEIGHT; 1 without measurements."""
    same = [
        p
        for p in points
        if p.kind == kind and (p.engine, p.api) == (situation.engine, situation.api) and _near(p, turn)
    ]
    if not same:
        return 1.0
    logs = [log(p.figure / _predicted(p, read, chip, situation, turn)) for p in same[:50]]
    ordered, half = sorted(logs), len(logs) // 2
    middle = (
        ordered[half] if len(logs) % 2 else (ordered[half - 1] + ordered[half]) / 2
    )  # `statistics` takes 10 ms to import
    return exp(MEASUREMENT_WEIGHT * middle)


def _near(point: Measurement, turn: TurnShape) -> bool:
    """Return True for one user or many as in the turn, and as many devices to each layer."""
    return (point.users > 1) == (turn.users > 1) and point.parallel == turn.parallel


def _predicted(point: Measurement, read: Traffic, chip: Chip, situation: Situation, turn: TurnShape) -> float:
    """Return the prediction for the situation of a measurement: all its users at once, whatever places the turn has."""
    depth = 0.0 if point.kind == "prefill" else max(0.0, point.context - point.prompt - point.answer / 2)
    there = structs.replace(
        turn,
        users=max(1, round(point.users)),
        prompt=max(1.0, point.prompt),
        answer=point.answer,
        depth=depth,
        host=NO_HOST_WEIGHTS,
        drafts=0,
        slots=1,
        kept=None,
        together=max(1, round(point.users)),
    )
    return float(getattr(_figures(read, chip, situation, there), point.kind))
