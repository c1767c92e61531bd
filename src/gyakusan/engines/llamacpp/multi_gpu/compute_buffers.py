"""Scratch of each device when a model is split over several GPUs, or partly stays in RAM: exact where the graph can be
replayed, else from the one-GPU figure by the role of the device, as a range.

Source: llama.cpp b11434, src/llama-context.cpp (sched_reserve), ggml/src/ggml-backend.cpp, ggml-alloc.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum
from gyakusan.core.model import Attention, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.weights import stored
from gyakusan.engines.llamacpp.compute_buffer import one_device as alone
from gyakusan.engines.llamacpp.compute_buffer.inputs import ALIGN, F32, inputs, tokens
from gyakusan.engines.llamacpp.ggml_simulation.model_graph import checked, follows, replayed
from gyakusan.engines.llamacpp.ggml_simulation.scheduler import COPIES
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import Message, say

UNSEEN = 0.1
"""Spread where the graph was checked on one device, but no split of it was recorded."""
SEEN = ("cuda", "rocm")
"""Drivers whose compute buffers were recorded."""
ROLE_TEXTS = {
    "idle": "nothing is computed here",
    "whole": "compute buffer of the whole model",
    "pipelined": "compute buffer, with four copies of the inputs so that the GPUs work at the same time",
    "later": "compute buffer of a GPU that goes on where another stopped",
    "helper": "compute buffer of the GPU that computes with weights kept in RAM",
    "inputs": "inputs of the graph",
    "computing": "compute buffer of the blocks in RAM",
}
"""What a device's role means."""


@dataclass(frozen=True, slots=True)
class Made:
    """Scratch of one device. role: a key of ROLE_TEXTS; bytes: best figure; least, greatest: the range that holds it [B]."""

    role: str
    bytes: Number
    least: Number
    greatest: Number

    @property
    def reason(self) -> Message:
        """The role as a sentence."""
        return say(ROLE_TEXTS[self.role])


@dataclass(frozen=True, slots=True)
class Roles:
    """Scratch of each GPU of the machine, and of the host."""

    gpus: tuple[Made, ...]
    host: Made

    def on(self, device: int) -> Made:
        """Scratch of one GPU, or of HOST."""
        return self.host if device == HOST else self.gpus[device]


def scratch(model: Model, settings: Settings, placement: Placement) -> Roles:
    """Compute buffers of each device. [B] Arrays broadcast; they are replayed one by one."""
    exact = follows(model, settings) and not model.graph.encoder
    made = _replay(model, settings, placement) if exact else None

    def on(device: int) -> Made:
        role = _role(settings, placement, device)
        if made is not None:
            seen = settings.driver in SEEN and (checked(model) or role == "whole")
            size, spread = made.on(device), 0 if seen else UNSEEN
            return Made(role, size, size * (1 - spread), size * (1 + spread))
        return _estimate(model, settings, placement, device, role)

    return Roles(tuple(on(gpu) for gpu in range(placement.cards)), on(HOST))


def _replay(model: Model, settings: Settings, placement: Placement) -> bytes_per_device.Split:
    """One replay, or one for each setting of an array. Equal questions are answered once."""
    names = ("context", "slots", "batch", "ubatch")
    given = [getattr(settings, name) for name in names]
    if not is_array(*given):
        return replayed(model, settings, placement)
    import numpy as np

    arrays = np.broadcast_arrays(*given)
    sizes = np.empty((placement.cards + 1, arrays[0].size), dtype=np.int64)
    known: dict[tuple[int, ...], bytes_per_device.Split] = {}
    for i, values in enumerate(zip(*(a.flat for a in arrays), strict=True)):
        key = tuple(int(v) for v in values)
        if key not in known:
            changes: Mapping[str, Any] = dict(zip(names, key, strict=True))
            known[key] = replayed(model, replace(settings, **changes), placement)
        sizes[:, i] = (*known[key].gpus, known[key].host)
    shaped = [row.reshape(arrays[0].shape) for row in sizes]
    return bytes_per_device.Split(tuple(shaped[:-1]), shaped[-1])


def _role(settings: Settings, placement: Placement, device: int) -> str:
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


def _estimate(model: Model, settings: Settings, placement: Placement, device: int, role: str) -> Made:
    """From the figure of one GPU that holds everything. The ranges were seen to hold on recorded rows of seven models."""
    lone = replace(settings, gpu_layers=-1, split_mode="none", overrides=(), n_cpu_moe=0, n_cpu_ffn=0, main_gpu=0)
    one, low, high = alone.compute_buffer(model, lone), *alone.spread(model, lone)
    vector = F32 * tokens(settings) * model.embedding
    match role:
        case "idle":
            return Made(role, 0, 0, 0)
        case "whole":
            return Made(role, one.gpu, one.gpu * low, one.gpu * high)
        case "inputs":
            return _host(model, settings, placement, one, vector)
        case "computing":
            most_of = alone.compute_buffer(model, replace(lone, backend="cpu")).host
            return Made(role, most_of, one.host, most_of * high)
        case "pipelined":
            return _pipelined(model, settings, placement, device, one.gpu, vector)
        case "later":
            size = maximum(0, one.gpu - 2 * vector)
            return Made(role, size, 0, (one.gpu + 4 * vector) * high)
        case _:
            return _helper(model, settings, placement, one.gpu, vector)


def _least(model: Model, settings: Settings, vector: Number) -> Number:
    """Inputs and one vector: less is never needed to compute anything. [B]"""
    return inputs(model, settings, tokens(settings), ALIGN["cuda"], False) // 2 + vector


def _host(model: Model, settings: Settings, placement: Placement, one: alone.Scratch, vector: Number) -> Made:
    """The graph's inputs; four times with pipelining; recurrent layers in RAM bring their windows over."""
    if placement.pipeline:
        held = inputs(model, settings, tokens(settings), ALIGN["cpu"], True)
        size = one.host + (COPIES - 1) * (held + 2 * vector)
        return Made("inputs", size, size, size)
    states = [m for m in model.memory if isinstance(m, Recurrent)]
    in_ram = HOST in placement.units[:-1] or not settings.offload_kv
    crossing = max((F32 * settings.slots * (m.convolution + m.state) for m in states), default=0) if in_ram else 0
    windows = max((2 * F32 * tokens(settings) * (m.inner + 2 * m.groups * m.state_size) for m in states), default=0)
    return Made("inputs", one.host + crossing, one.host, one.host + crossing + (windows if in_ram else 0))


def _pipelined(
    model: Model, settings: Settings, placement: Placement, device: int, one: Number, vector: Number
) -> Made:
    """Four copies of inputs and of what crosses devices, and no holes between them for queries."""
    held = inputs(model, settings, tokens(settings), ALIGN["cuda"], False)
    attends = [m for m in model.memory if isinstance(m, Attention | Latent)]
    queries = max((m.heads * getattr(m, "key_head", m.key if isinstance(m, Latent) else 0) for m in attends), default=0)
    wide = F32 * tokens(settings) * min(queries, 2 * model.embedding)
    first = placement.units[0] == device
    size = one + (COPIES - 1) * held + (11 if first else 6) * vector + wide
    low = one + (COPIES - 1) * held // 2 - (0 if first else 5) * vector
    return Made("pipelined", size, maximum(low, 0), size + 6 * vector + one // 4)


def _helper(model: Model, settings: Settings, placement: Placement, one: Number, vector: Number) -> Made:
    """Batches are computed on the first GPU: one weight at a time is copied there, with the cache of one block in RAM."""
    least, tensor = _least(model, settings, vector), _largest_in_ram(model, settings, placement)
    caches = kv_cache.groups(model, replace(settings, backend="cuda"))
    in_ram = HOST in placement.units[:-1] or not settings.offload_kv
    layer = maximum(0, *(g.bytes // max(1, len(g.memory.layers)) for g in caches)) if in_ram else 0
    size = maximum(one, least + tensor + 4 * vector, one // 2 + layer + tensor)
    return Made("helper", size, least, one + layer * 2 + 2 * tensor + 5 * vector)


def _largest_in_ram(model: Model, settings: Settings, placement: Placement) -> int:
    """The largest weight of any block that stays in RAM, as a GPU stores it. [B]"""
    placed = bytes_per_device.homes(model, settings, placement)
    return max((stored(t, settings.driver) for t, d in placed if d == HOST and t.name.startswith("blk.")), default=0)
