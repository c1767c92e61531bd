"""Compute buffers of each device when a model is split over several GPUs, or partly stays in RAM.

Exact where the graph can be simulated; else a range, from the figure of one GPU and the role of the device.
Source: llama.cpp b11434, src/llama-context.cpp (sched_reserve), ggml/src/ggml-backend.cpp, ggml-alloc.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum
from gyakusan.core.ledger import Line, Part
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp import builds
from gyakusan.engines.llamacpp.backends import ALIGNMENT, F32, RECORDED_BACKENDS
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.flash_kernels import is_on_host, resolved
from gyakusan.engines.llamacpp.buffers.weights import stored
from gyakusan.engines.llamacpp.compute_buffer import one_device
from gyakusan.engines.llamacpp.compute_buffer.inputs import inputs
from gyakusan.engines.llamacpp.ggml_simulation.model_graph import can_simulate, simulate, splits_are_recorded
from gyakusan.engines.llamacpp.ggml_simulation.scheduler import MAX_COPIES
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import say

UNRECORDED_SPREAD = 0.1
"""Half the relative range where the graph was checked on one device, but no split of it was recorded."""
FIRST_VECTORS, LATER_VECTORS = 11, 6
"""Vectors by which a pipelined GPU has more than one that holds everything: the first, and each later one in a dry run.

Fitted on 612 and 958 rows of tests/truth/llamacpp_split.jsonl.gz with f16 caches: 0.02 % off at most without latent attention,
-4.6 % with it, and up to a vector too many on a last GPU of one or two blocks. Several copies of a vector are never freed.
"""
QUERY_VECTORS = 2
"""Most vectors of queries that find no free block between those copies: a fit to the same rows, of nine models."""
LAST_VECTORS, SLACK_VECTORS, FREE_PART = 5, 6, 4
"""Ends of a pipelined GPU's range: vectors that a later one may have less, vectors that any may have more, and the part of the
buffer (a quarter) that may find no free block. Chosen, not derived: the range held on recorded rows of seven models."""
FEWER_VECTORS, MORE_VECTORS = 2, 4
"""Vectors that a later GPU without pipelining has less than one that holds everything (396 rows of dense models, exact; too
large by up to 22 % with latent attention), and those that it may have more: chosen, and held on the same seven models."""
HELPER_VECTORS, MOST_HELPER_VECTORS = 4, 5
"""Vectors beside the weight that a GPU gets from RAM: experts in RAM, 0.01 % off on most rows; and those that bound partial
offload: 24 of 912 rows were above, latent attention all, by 2.3 % at most."""
Role = Literal["idle", "whole", "pipelined", "later", "helper", "inputs", "computing"]
ROLE_TEXTS: dict[Role, str] = {
    "idle": "nothing is computed here",
    "whole": "whole model",
    "pipelined": "4 copies of the inputs",
    "later": "continues from another GPU",
    "helper": "computes with weights in RAM",
    "inputs": "inputs of a batch",
    "computing": "for the blocks in RAM",
}
"""What a device's role means."""


@dataclass(frozen=True, slots=True)
class DeviceBuffer:
    """The compute buffer of one device. Every number may be an array.

    role: what the device computes
    bytes: best figure [B]
    least: low end of the range that holds the real size [B]
    greatest: high end of that range [B]
    """

    role: Role
    bytes: Number
    least: Number
    greatest: Number

    def line(self, part: Part) -> Line:
        """Return the line of this buffer."""
        reason = say(ROLE_TEXTS[self.role])
        return Line(part, self.bytes, "derived", reason, low=self.least, high=self.greatest)


@dataclass(frozen=True, slots=True)
class DeviceBuffers:
    """The compute buffers of all devices.

    gpus: of each GPU of the machine
    host: of the host
    """

    gpus: tuple[DeviceBuffer, ...]
    host: DeviceBuffer

    def on(self, device: int) -> DeviceBuffer:
        """Return the buffer of one GPU, or of HOST."""
        return self.host if device == HOST else self.gpus[device]


def compute_buffers(model: Model, settings: Settings, placement: Placement, *, dry_run: bool = False) -> DeviceBuffers:
    """Return the compute buffer of each device. [B] Arrays broadcast; where a graph is simulated, one by one.

    dry_run: as llama.cpp's own dry run counts, which plans more for later devices than a load takes (model_graph.is_pinned).
    """
    model, settings = builds.as_built(model, settings.build), resolved(model, settings)
    known_graph = can_simulate(model, settings) and not is_on_host(model, settings)
    simulated = simulate(model, settings, placement, dry_run=dry_run) if known_graph else None

    def on(device: int) -> DeviceBuffer:
        role = _role(settings, placement, device)
        if simulated is None:
            return _estimate(model, settings, placement, device, role, dry_run)
        known = builds.rules(settings.build) == builds.Rules() and not builds.possible(settings.build)
        recorded = known and settings.driver in RECORDED_BACKENDS and (splits_are_recorded(model) or role == "whole")
        size, spread = simulated.on(device), 0 if recorded else UNRECORDED_SPREAD
        return DeviceBuffer(role, size, size * (1 - spread), size * (1 + spread))

    return DeviceBuffers(tuple(on(gpu) for gpu in range(placement.cards)), on(HOST))


def _role(settings: Settings, placement: Placement, device: int) -> Role:
    in_ram = HOST in placement.units[:-1] or settings.overridden
    if device == HOST:
        return "computing" if in_ram and not settings.op_offload else "inputs"
    helps = device == placement.first and settings.op_offload and in_ram
    if device not in placement.units and not helps:
        return "idle"
    if placement.pipeline:
        return "pipelined"
    if helps or not settings.offload_kv:
        return "helper"
    return "whole" if all(d == device for d in placement.units) and not settings.overridden else "later"


@dataclass(frozen=True, slots=True)
class _Split:
    """A split whose graph is not simulated. one: buffers of one GPU that holds everything; vector: a residual vector [B]."""

    model: Model
    settings: Settings
    placement: Placement
    one: one_device.ComputeBuffers
    vector: Number

    @property
    def blocks_in_ram(self) -> bool:
        return HOST in self.placement.units[:-1] or not self.settings.offload_kv

    def inputs(self, backend: str, *, host: bool) -> Number:
        return inputs(self.model, self.settings, ALIGNMENT[backend], host=host)


def _estimate(
    model: Model, settings: Settings, placement: Placement, device: int, role: Role, dry_run: bool
) -> DeviceBuffer:
    """Return a range from the figure of one GPU that holds everything. It held on recorded rows of seven models."""
    lone = replace(settings, gpu_layers=-1, split_mode="none", overrides=(), n_cpu_moe=0, n_cpu_ffn=0, main_gpu=0)
    one, (low, high) = one_device.compute_buffer(model, lone), one_device.range_factors(model, lone)
    split = _Split(model, settings, placement, one, F32 * settings.graph_tokens * model.embedding)
    match role:
        case "idle":
            return DeviceBuffer(role, 0, 0, 0)
        case "whole":
            return DeviceBuffer(role, one.gpu, one.gpu * low, one.gpu * high)
        case "inputs":
            return _inputs(split)
        case "computing":
            cpu = one_device.compute_buffer(model, replace(lone, backend="cpu")).host
            return DeviceBuffer(role, cpu, one.host, cpu * high)
        case "pipelined":
            return _pipelined(split, device, dry_run)
        case "later":
            least, most = one.gpu - FEWER_VECTORS * split.vector, one.gpu + MORE_VECTORS * split.vector
            return DeviceBuffer(role, maximum(0, least), 0, most * high)
        case "helper":
            return _helper(split)


def _inputs(split: _Split) -> DeviceBuffer:
    """Return the graph's inputs: four times with pipelining; with recurrent layers in RAM also windows and states."""
    settings, host = split.settings, split.one.host
    least, most = one_device.host_factors(split.model, replace(settings, gpu_layers=-1))
    if split.placement.pipeline:
        size = host + (MAX_COPIES - 1) * (split.inputs("cpu", host=True) + 2 * split.vector)
        return DeviceBuffer("inputs", size, size * least, size * most)
    states = [m for m in split.model.memory if isinstance(m, Recurrent)] if split.blocks_in_ram else []
    state = F32 * settings.slots * max((m.convolution + m.state for m in states), default=0)
    windows = max((m.inner + 2 * m.groups * m.state_size for m in states), default=0)
    high = host * most + state + 2 * F32 * settings.graph_tokens * windows
    return DeviceBuffer("inputs", host + state, host * least, high)


def _pipelined(split: _Split, device: int, dry_run: bool) -> DeviceBuffer:
    """Return a buffer with four copies of inputs and of what crosses devices, and no free blocks between for queries.

    One vector crosses to each later device, in a dry run its norm too: that held for each simulated split that was recorded.
    """
    model, one, vector = split.model, split.one.gpu, split.vector
    copies = (MAX_COPIES - 1) * split.inputs("cuda", host=False)
    queries = max(
        (
            m.heads * (m.key if isinstance(m, Latent) else m.key_head)
            for m in model.memory
            if isinstance(m, (Attention, Latent))
        ),
        default=0,
    )
    wide = F32 * split.settings.graph_tokens * min(queries, QUERY_VECTORS * model.embedding)
    first = split.placement.units[0] == device
    fewer = 0 if first or dry_run else MAX_COPIES
    size = one + copies + (FIRST_VECTORS if first else LATER_VECTORS - fewer) * vector + wide
    low = one + copies // 2 - (0 if first else LAST_VECTORS + fewer) * vector
    return DeviceBuffer("pipelined", size, maximum(low, 0), size + SLACK_VECTORS * vector + one // FREE_PART)


def _helper(split: _Split) -> DeviceBuffer:
    """Return the buffer of the GPU that computes for the host.

    One weight at a time is copied there, with the cache of one block in RAM. It needs inputs and one vector at least.
    """
    model, settings, one, vector = split.model, split.settings, split.one.gpu, split.vector
    least = split.inputs("cuda", host=False) // 2 + vector
    tensor = _largest_in_ram(model, settings, split.placement)
    caches = kv_cache.groups(model, replace(settings, backend="cuda")) if split.blocks_in_ram else ()
    layer = maximum(0, *(g.bytes // max(1, len(g.memory.layers)) for g in caches))
    size = maximum(one, least + tensor + HELPER_VECTORS * vector, one // 2 + layer + tensor)
    return DeviceBuffer("helper", size, least, one + layer * 2 + 2 * tensor + MOST_HELPER_VECTORS * vector)


def _largest_in_ram(model: Model, settings: Settings, placement: Placement) -> int:
    """Return the bytes of the largest weight of any block that stays in RAM, as a GPU stores it [B]."""
    placed = bytes_per_device.homes(model, settings, placement)
    return max((stored(t, settings.driver) for t, d in placed if d == HOST and t.name.startswith("blk.")), default=0)
