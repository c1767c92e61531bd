"""How fast a model will be on a machine: every figure with its 80 % interval, what binds it, and what others measured.

The arithmetic is core.roofline, the constants catalog.speed_constants. Where the shipped measurements have the same device,
model and quantisation in the same engine, the centre of a figure moves towards them (ratio to the power of 0.75).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, exp, log
from statistics import median
from typing import Any, Literal

from gyakusan.catalog import chips, cpu, measured, speed_names
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.measured import Kind, Measurement
from gyakusan.catalog.speed_constants import (
    SERVERS,
    Situation,
    constants_for,
    evidence_for,
    interval_factor,
    peak_rates,
)
from gyakusan.core import machine as machines
from gyakusan.core import roofline as core
from gyakusan.core import traffic
from gyakusan.core.arrays import Number
from gyakusan.core.memo import Memo
from gyakusan.core.model import Checkpoint, Model
from gyakusan.core.traffic import RoleBits, Traffic

Basis = Literal["derived", "assumed", "measured"]
MEASUREMENT_WEIGHT = 0.75
"""How far a measurement of the same thing moves a prediction: the power of measured / predicted (study: 0.5 to 1)."""
ASSUMED_FLOP_PER_BYTE = 60.0
"""16-bit operations for each byte of bandwidth, of a device whose arithmetic nobody wrote down. [FLOP/B]"""
UNKNOWN_CHIP_FACTOR = 1.5
"""Further factor of the interval where even the chip is not in our table."""
ENGINES = {
    "Ollama": "ollama",
    "MLX-LM": "mlx",
    "mlx-lm": "mlx",
    "llamacpp": "llama.cpp",
    "vLLM": "vllm",
    "SGLang": "sglang",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A predicted figure. low, high: the 80 % interval; basis: derived (the device was measured with other models or
    with this one), measured (moved by measurements of the same thing), assumed (the device is new to us);
    slice: whose errors the interval comes from; coverage: share that such intervals held when it was tested.
    """

    value: float
    low: float
    high: float
    basis: Basis
    slice: str
    coverage: float | None


@dataclass(frozen=True, slots=True)
class SpeedEstimate:
    """prefill: prompt tokens/s of one user alone; decode_each, decode_all: answer tokens/s while all answer;

    throughput: answer tokens/s of all when everyone asks again at once (prompts included); ttft, tpot [s]: to the first
    and to each further token with all users active; bottleneck: what a decode step waits for; points: measurements of the
    same device, model and quantisation; chip: what the figures were computed for; usual: bandwidth x 0.55 / bytes, the
    usual rule, to compare [tokens/s].
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


@dataclass(frozen=True, slots=True)
class TurnShape:
    """What is done with the model. users; prompt, answer, depth [tokens]: depth was there before the prompt;

    piece: tokens computed at once in prefill [tokens]; parallel: devices that share each layer; stages: devices that
    hold some layers each; value_bytes: of one cached value [B]; style: wave (users start together) or steady;
    host_bytes: weights that every step reads from the computer's RAM [B], at host_bandwidth [B/s]; host_held: all that
    lie there and a prompt sends to the card for each piece [B], at `link` [B/s] (assumed: PCIe 4.0 from ordinary, not
    pinned memory); threads: of a CPU that computes, 0 = as many as the machine has cores.
    """

    users: int = 1
    prompt: float = 1024
    answer: float = 256
    depth: float = 0
    piece: float = 512
    parallel: int = 1
    stages: int = 1
    value_bytes: float = 2
    style: str = "steady"
    host_bytes: float = 0
    host_bandwidth: float = 60e9
    host_held: float = 0
    link: float = 12e9
    threads: int = 0

    @property
    def context(self) -> float:
        """Mean length of a conversation while it is answered. [tokens]"""
        return self.depth + self.prompt + self.answer / 2


def estimate_speed(
    model: Model, machine: machines.Machine, engine: str = "llama.cpp", asked: TurnShape | None = None
) -> SpeedEstimate | None:
    """Speeds of `model` on `machine`, on its CPU if it has no GPU. None where nobody knows the memory bandwidth: no figure

    is better than a guess.
    """
    asked = asked or TurnShape()
    chip = chip_of(machine)
    if chip is None:
        return None
    name = ENGINES.get(engine, engine)
    if chip.family == cpu.CPU:
        asked = replace(asked, threads=asked.threads or machine.cores)
    quant = _quant(model, name in SERVERS)
    said = Situation(
        engine=name,
        api=api(machine.gpus[0], chip) if machine.gpus else cpu.CPU,
        family=chip.family,
        device=chip.name,
        quant=quant.group,
        model=_name(model),
        link=chip.link,
        style=asked.style,
    )
    seen = measured.measurements(chip.name, said.model, quant.label)
    return _priced(traffic_of(model), chip, said, asked, seen)


def chip_of(machine: machines.Machine) -> Chip | None:
    """The chip that computes: the first GPU, else the CPU. None where its bandwidth is unknown."""
    if not machine.gpus:
        return cpu.chip(machine)
    device = machine.gpus[0]
    found = chips.find(device.name, device.memory)
    if found is not None or not device.bandwidth:
        return found
    rate = ASSUMED_FLOP_PER_BYTE * device.bandwidth
    memory, link = float(device.memory or 0), "unified" if device.kind == "unified" else "pcie"
    return Chip(
        *(device.name, "", memory, device.bandwidth, rate / 2, rate, rate, 0.0, 0.0, link),
        source=device.source,
        checked=device.checked,
    )


def api(device: machines.Device, chip: Chip) -> str:
    """What drives the device, as the constants call it."""
    if device.backend in ("cuda", "rocm", "metal", "vulkan"):
        return device.backend
    return "vulkan" if chip.vendor == "intel" else "cuda"


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
    kept = " ".join(checkpoint.unquantized)
    return RoleBits(
        attention=plain if "attn" in kept else bits,
        linear=bits,
        experts=bits,
        output=bits if checkpoint.method == "mlx" else plain,
    )


def _name(model: Model) -> str:
    """The name under which measurements know it: of the catalogue, else what its own name means."""
    if model.source.startswith("catalog:"):
        return model.source.removeprefix("catalog:")
    return speed_names.model_name(model.name) or ""


def _quant(model: Model, server: bool) -> speed_names.Quant:
    checkpoint = model.checkpoint
    text = model.quantization if checkpoint is None else f"{checkpoint.method} {checkpoint.bits:g}bit {model.name}"
    if checkpoint is not None and not checkpoint.method:
        return speed_names.sixteen_bit(server)
    name = _name(model)
    return speed_names.parse_quant(text, model=name, server=server) or speed_names.sixteen_bit(server)


def _priced(
    read: Traffic, chip: Chip, said: Situation, asked: TurnShape, seen: tuple[Measurement, ...], corrected: bool = True
) -> SpeedEstimate:
    k = cpu.constants(asked.threads) if said.api == cpu.CPU else constants_for(said)
    device = _device(chip, said, asked)
    absorbed = said.engine not in SERVERS
    work = _work(read, asked)
    prompt = core.prefill_time(
        work, asked.prompt, asked.piece, read.attention(asked.prompt, asked.depth, absorbed), device, k
    )
    if asked.host_held:
        prompt = core.uploaded(prompt, asked.host_held, asked.link, max(1.0, ceil(asked.prompt / asked.piece)))
    step = core.decode_step(work, asked.users, device, k)
    time = core.offloaded(step.time, asked.host_bytes, asked.host_bandwidth) if asked.host_bytes else step.time
    server = said.engine in SERVERS and asked.users > 1
    each = core.later_token(time, prompt, asked.users, asked.answer, k) if server else time
    whole = 1 / core.closed_loop(time, prompt, asked.users, asked.answer)
    first = core.first_token(prompt, asked.users, time, asked.answer, k)
    moved = {kind: _moved(kind, read, chip, said, asked, seen) if corrected else 1.0 for kind in KINDS}

    def figure(kind: Kind, value: Number, users: int) -> Estimate:
        found = _figure(kind, float(value), users, chip, said, moved[kind])
        return _guessed(found) if asked.host_bytes else found

    decode = figure("decode", 1 / each, asked.users)
    tpot = replace(decode, value=1 / decode.value, low=1 / decode.high, high=1 / decode.low)
    return SpeedEstimate(
        prefill=figure("prefill", asked.prompt / prompt, 1),
        decode_each=decode,
        decode_all=_times(decode, asked.users),
        throughput=figure("throughput", 1 / whole, asked.users),
        ttft=figure("ttft", first, asked.users),
        tpot=tpot,
        bottleneck="host" if asked.host_bytes and time > 2 * step.time else step.bottleneck,
        points=seen,
        chip=chip.name,
        usual=chip.bandwidth * asked.parallel * 0.55 / (read.dense + read.experts * read.used / read.count),
    )


KINDS: tuple[Kind, ...] = ("decode", "prefill", "ttft", "throughput")


def _device(chip: Chip, said: Situation, asked: TurnShape) -> core.DeviceRates:
    decode, prefill = peak_rates(chip, said.engine, said.api, said.quant)
    return core.DeviceRates(
        bandwidth=chip.bandwidth,
        decode=decode,
        prefill=prefill,
        half=chip.half,
        parallel=asked.parallel,
        nvlink=1 if chip.link == "nvlink" else 0,
        small_batch_kernels=0 if said.engine in SERVERS or said.engine == "mlx" else 1,
        stages=asked.stages,
    )


def _work(read: Traffic, asked: TurnShape) -> core.ModelDemand:
    names = (
        "dense",
        "experts",
        "count",
        "used",
        "layers",
        "mixed",
        "recurrent",
        "width",
        "matrices",
        "output",
        "routed",
    )
    plain: dict[str, Any] = {name: getattr(read, name) for name in names}
    return core.ModelDemand(
        **plain,
        cache=read.cache(asked.context, asked.value_bytes),
        attend=read.attention(1, asked.context),
        state=read.state,
    )


def _figure(kind: Kind, value: float, users: int, chip: Chip, said: Situation, moved: float) -> Estimate:
    if chip.family == cpu.CPU:
        factor = cpu.SPREAD[kind]
        return Estimate(value, value / factor, value * factor, "assumed", "cpu", None)
    factor, found = interval_factor(kind, said, users)
    if not chip.family:
        factor *= UNKNOWN_CHIP_FACTOR
    sure: Basis = "assumed" if evidence_for(said) == "nothing" else ("measured" if moved != 1 else "derived")
    centre = value / moved if kind == "ttft" else value * moved
    return Estimate(centre, centre / factor, centre * factor, sure, str(found["slice"]), found["coverage"])


def _guessed(figure: Estimate) -> Estimate:
    """The same with a wider interval: nobody measured weights in two memories for us."""
    return replace(
        figure, low=figure.low / UNKNOWN_CHIP_FACTOR, high=figure.high * UNKNOWN_CHIP_FACTOR, basis="assumed"
    )


def _times(figure: Estimate, users: int) -> Estimate:
    return replace(figure, value=figure.value * users, low=figure.low * users, high=figure.high * users)


def _moved(
    kind: Kind, read: Traffic, chip: Chip, said: Situation, asked: TurnShape, seen: tuple[Measurement, ...]
) -> float:
    """How much faster measurements of the same thing were than predicted, to the power of TRUST; 1 without any."""
    alike = [p for p in seen if p.kind == kind and (p.engine, p.api) == (said.engine, said.api) and _near(p, asked)]
    if not alike:
        return 1.0
    logs = [log(p.figure / _same(p, read, chip, said, asked)) for p in alike[:50]]
    ratio = exp(MEASUREMENT_WEIGHT * median(logs))
    return 1 / ratio if kind == "ttft" else ratio


def _near(point: Measurement, asked: TurnShape) -> bool:
    """One user or many, as asked; as many devices to each layer."""
    return (point.users > 1) == (asked.users > 1) and point.parallel == asked.parallel


def _same(point: Measurement, read: Traffic, chip: Chip, said: Situation, asked: TurnShape) -> float:
    """The prediction for the situation of a measurement."""
    depth = 0.0 if point.kind == "prefill" else max(0.0, point.context - point.prompt - point.answer / 2)
    there = replace(
        asked,
        users=max(1, round(point.users)),
        prompt=max(1.0, point.prompt),
        answer=point.answer,
        depth=depth,
        host_bytes=0,
        host_held=0,
    )
    found = _priced(read, chip, said, there, (), corrected=False)
    figures = {
        "decode": found.decode_each,
        "prefill": found.prefill,
        "ttft": found.ttft,
        "throughput": found.throughput,
    }
    return figures[point.kind].value
