"""Everything that the time of a turn follows from, for one model or for columns of many: one path for both.

`estimate_speed` of predict.speed calls it with numbers, the sweep with arrays (counts, contexts, rows).
"""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct, structs

from gyakusan.catalog import chips, cpu
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.speed_constants import (
    Labels,
    Situation,
    constants_for,
    device_rates,
    interval_factors,
)
from gyakusan.core import roofline, speculation
from gyakusan.core.arrays import IntArray, Number
from gyakusan.core.broadcast import is_array, maximum, minimum
from gyakusan.core.machine import Device, Machine
from gyakusan.core.records import shallow
from gyakusan.core.roofline import DeviceRates, ModelDemand, SpeedConstants, StepTime
from gyakusan.engines.registry import engine as find_engine

ASSUMED_FLOP_PER_BYTE = 60.0
"""16-bit operations for each byte of bandwidth, of a device whose arithmetic nobody wrote down [FLOP/B]."""
UNKNOWN_CHIP_FACTOR = 1.5
"""Further factor of the interval where even the chip is not in our table."""
RAM_BANDWIDTH = 51.2e9
"""Of RAM beside a GPU that nobody measured or named: assumed, two channels of DDR4-3200 [B/s]."""
STAGED = 0.5
"""Share of the RAM's bandwidth at which weights that are not pinned reach a GPU: they are read, written and read again
(16.6 to 23.5 GB/s behind DDR4-2133 and DDR4-3000: insiderllm-bench-results, CC BY)."""
PCIE = 24e9
"""What PCIe 4.0 with 16 lanes reaches at most [B/s]."""
SIXTEEN_LANES = 16 * chips.LANE[4]
"""What they carry [B/s]."""
T = TypeVar("T")


class HostWeights(Struct, frozen=True):
    """Weights that lie in the computer's RAM beside a GPU.

    read: those that every batch reads [B]
    held: all of them, which a prompt sends to the GPU for each chunk [B]
    bandwidth: of the RAM [B/s]
    pcie: what the bus reaches at most [B/s]
    """

    read: Number = 0
    held: Number = 0
    bandwidth: float = RAM_BANDWIDTH
    pcie: float = PCIE

    @property
    def link(self) -> float:
        """Bandwidth from ordinary, not pinned memory to a GPU [B/s]."""
        return min(self.pcie, STAGED * self.bandwidth)

    @property
    def any(self) -> bool:
        """True if there are any."""
        return _some(self.read) or _some(self.held)


NO_HOST_WEIGHTS = HostWeights()


class Corrections(Struct, frozen=True):
    """How much faster a device is than what is built in, as measurements say.

    decode: speed of answers
    prefill: speed of prompts
    delay: of a first token, besides prompts and steps [s]
    """

    decode: Number = 1.0
    prefill: Number = 1.0
    delay: float = 0.0


UNCORRECTED = Corrections()


class SpeedInputs(Struct, frozen=True):
    """Everything that the time of a turn follows from; every figure may be an array, shapes broadcast.

    demand: what the model reads and computes
    attention: attention of the whole prompt [FLOP]
    device: what the devices can do
    constants: fitted ones for this engine, device, model and quantisation
    users: conversations that are answered at once
    prompt: length of a prompt [tokens]
    answer: output tokens between two prompts of one user [tokens]
    chunk: prompt tokens that are computed at once [tokens]
    interleaved: True if prompts of some users are computed between the decode steps of others (vLLM)
    host: weights in RAM
    learned: what measurements of this computer say
    drafts: tokens drafted for each step, 0 = no speculative decoding [tokens]
    check: what checking them takes
    batches: in how many a step of all users is computed (core.roofline.expected_batches)
    together: users that are answered at once, the others wait for their turn; inf = all
    """

    demand: ModelDemand
    attention: Number
    device: DeviceRates
    constants: SpeedConstants
    users: int
    prompt: float
    answer: float
    chunk: float
    interleaved: bool
    host: HostWeights = NO_HOST_WEIGHTS
    learned: Corrections = UNCORRECTED
    drafts: int = 0
    check: speculation.CheckCost = speculation.CheckCost()
    batches: Number = 1
    together: Number = float("inf")

    @property
    def active(self) -> Number:
        """Users that are answered at once."""
        return minimum(self.users, self.together)

    def prefill_time(self) -> Number:
        """Return the time of one user's prompt [s]."""
        time = roofline.prefill_time(self.demand, self.prompt, self.chunk, self.attention, self.device, self.constants)
        time = time / self.learned.prefill
        if not _some(self.host.held):
            return time
        chunks = maximum(1.0, -(-self.prompt // self.chunk))
        return roofline.uploaded(time, self.host.held, self.host.link, chunks)

    def gpu_step(self) -> StepTime:
        """Return the time of one decode step of all users, without weights in RAM."""
        if not is_array(self.batches) and self.batches == 1:
            return roofline.decode_step(self.demand, self.active, self.device, self.constants)
        one = roofline.decode_step(self.demand, self.users / self.batches, self.device, self.constants)
        return one.times(self.batches)

    def step_time(self, gpu_step: StepTime) -> Number:
        """Return the time of one decode step of all users [s]."""
        if not _some(self.host.read):
            return gpu_step.time / self.learned.decode
        read = self.host.read * self.batches  # each batch reads them again
        return roofline.offloaded(gpu_step.time / self.learned.decode, read, self.host.bandwidth)

    def token_time(self, step: Number, prefill: Number) -> Number:
        """Return the time of each further token, others' prompts included [s]."""
        if not self.interleaved or self.users <= 1:
            return step
        return roofline.later_token(step, prefill, self.active, self.answer, self.constants)

    def first_token(self, step: Number, prefill: Number) -> Number:
        """Return the time to the first token [s]."""
        time = roofline.first_token(prefill, self.active, step, self.answer, self.constants, self.prompt)
        time = roofline.turn_wait(time, self.token_time(step, prefill), self.users, self.active, self.answer)
        if not self.learned.delay:
            return time
        return time + maximum(self.learned.delay, -self.constants.start)  # what is fixed cannot take less than nothing

    def gain(self) -> Number:
        """Return how many times as fast answers come with drafts as without."""
        if not self.drafts:
            return 1.0
        return draft_gain(
            self.demand, self.active, self.drafts, self.device, self.constants, self.check, crowded=self.interleaved
        )

    def throughput(self, step: Number, prefill: Number) -> Number:
        """Return the output tokens per second of all users, each asking again at once [tokens/s]."""
        return roofline.closed_loop(step, prefill, self.active, self.answer)


def answered_together(users: int, asked: int, engine: str, architecture: str) -> int:
    """Return how many of the users are answered at once. asked: by the engine's settings, 0 = as its defaults have it.

    An engine that cannot batch the model answers one after the other, whatever its settings say.
    """
    usual = find_engine(engine).at_once(architecture)
    return min(users, 1 if usual == 1 else asked or usual or users)


def draft_gain(
    demand: ModelDemand,
    users: Number,
    drafts: Number,
    device: DeviceRates,
    k: SpeedConstants,
    check: speculation.CheckCost,
    *,
    crowded: bool,
    accepted: Number | None = None,
) -> Number:
    """Return how many times as fast answers come with drafts as without.

    The rows that are checked for one conversation read its cache once. crowded: True for servers whose kernels know no
    step from few rows to many (vLLM); accepted: share of the drafts, None = as with mixed prompts.
    """
    rows = drafts + 1
    checked = structs.replace(demand, cache=demand.cache / rows, state=demand.state / rows)
    alone = roofline.decode_step(checked, rows, device, k).time / roofline.decode_step(demand, 1, device, k).time
    one = speculation.checked_step(drafts, check, alone, demand.shape.experts)
    if crowded:
        return speculation.crowded_gain(drafts, one, users, accepted)
    step = roofline.decode_step(demand, users, device, k).time
    more = roofline.decode_step(checked, users * rows, device, k).time / step
    return speculation.gain(drafts, one, alone, more, accepted)


def _some(size: Number) -> bool:
    """Return True for a number that is not 0, and for an array, which stands for rows of which each has some."""
    return is_array(size) or bool(size)


def take(value: T, places: tuple[IntArray, ...]) -> T:
    """Return some elements of every array in a record, or of an array; single axes hold for all.

    places: of the last axes that the arrays have, e.g. (counts, contexts, rows), each (elements,)
    """
    if isinstance(value, int | float | str):  # most fields
        return value
    if isinstance(value, Struct):
        taken_record: T = structs.replace(value, **{name: take(part, places) for name, part in shallow(value).items()})
        return taken_record
    array: Any = value
    if not getattr(array, "ndim", 0):
        return value
    axes = zip(array.shape, places[-array.ndim :], strict=True)
    taken: T = array[tuple(place if size > 1 else 0 for size, place in axes)]
    return taken


def host_bandwidth(machine: Machine) -> float:
    """Return the bandwidth of the RAM beside a GPU, an assumed one where it is not known [B/s]."""
    known = machine.host.bandwidth if machine.host is not None else None
    return known or RAM_BANDWIDTH


def bus_bandwidth(machine: Machine) -> float:
    """Return what the bus of the first GPU reaches at most [B/s]. More than 16 lanes of PCIe 4.0 nobody measured."""
    chip = chip_of(machine)
    return PCIE if chip is None else PCIE * min(1.0, chip.to_host / SIXTEEN_LANES)


def chip_of(machine: Machine) -> Chip | None:
    """Return the chip that computes: the first GPU, else the CPU; None where its bandwidth is unknown."""
    if not machine.gpus:
        return cpu.chip(machine)
    device = machine.gpus[0]
    known = chips.find(device.name, device.memory)
    if known is not None or not device.bandwidth:
        return known
    rate = ASSUMED_FLOP_PER_BYTE * device.bandwidth
    return Chip(
        name=device.name,
        family="",
        memory=float(device.memory or 0),
        bandwidth=device.bandwidth,
        single=rate / 2,
        half=rate,
        int8=rate,
        fp8=0.0,
        fp4=0.0,
        link="unified" if device.kind == "unified" else "pcie",
        source=device.source,
        checked=device.checked,
    )


def situation_of(
    machine: Machine, chip: Chip, engine: str, quant: str | Labels = "", model: str | Labels = "", style: str = "steady"
) -> Situation:
    """Return what the constants depend on, for an engine on the machine's chip."""
    api = _api(machine.gpus[0], chip) if machine.gpus else cpu.CPU
    speed_name = find_engine(engine).SPEED_NAME
    return Situation(speed_name, api, chip.family, chip.name, quant, model, chip.link, style)


def speed_inputs(
    demand: ModelDemand,
    attention: Number,
    chip: Chip,
    situation: Situation,
    *,
    users: int,
    prompt: float,
    answer: float,
    chunk: float,
    parallel: Number = 1,
    stages: Number = 1,
    threads: int = 0,
    host: HostWeights = NO_HOST_WEIGHTS,
    learned: Corrections = UNCORRECTED,
    drafts: int = 0,
    batches: Number = 1,
    together: Number = float("inf"),
) -> SpeedInputs:
    """Put together what time follows from. attention: of the whole prompt [FLOP]; threads: of a CPU that computes."""
    return SpeedInputs(
        demand=demand,
        attention=attention,
        device=device_rates(chip, situation, parallel, stages),
        constants=cpu.constants(threads) if situation.api == cpu.CPU else constants_for(situation),
        users=users,
        prompt=prompt,
        answer=answer,
        chunk=chunk,
        interleaved=situation.server,
        host=host,
        learned=learned,
        drafts=drafts,
        check=speculation.check_cost(chip.family),
        batches=batches,
        together=together,
    )


def uncertainty(kind: str, chip: Chip, situation: Situation, users: int) -> Number:
    """Return the factor f of the 80 % interval [figure / f, figure * f]; an array where the models are labels of rows."""
    if chip.family == cpu.CPU:
        return cpu.SPREAD[kind]
    factor = interval_factors(kind, situation, users)
    return factor if chip.family else factor * UNKNOWN_CHIP_FACTOR


def _api(device: Device, chip: Chip) -> str:
    """Return what drives the device, as the constants call it."""
    if device.backend in ("cuda", "rocm", "metal", "vulkan"):
        return device.backend
    return "vulkan" if chip.vendor == "intel" else "cuda"
