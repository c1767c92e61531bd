"""What every compute buffer of llama.cpp starts with: the graph's inputs and the residual vectors that live through it."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.broadcast import Number, round_up
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Latent, Memory, Model, Recurrent
from gyakusan.engines.llamacpp.settings import Settings

F32 = 4
I32 = 4
I64 = 8
ALIGN = {"cpu": 32, "cuda": 128}
"""Tensors start at multiples of this in a compute buffer. [B]"""
ROTATION = 64
"""Quantised caches are rotated by a Hadamard matrix of at least this width. llama-kv-cache.cpp, attn_rot_k."""


def tokens(s: Settings) -> Number:
    """Tokens of the worst-case graph: one ubatch, the same number for each slot. llama_context::graph_reserve. [tokens]"""
    slots = s.slots
    return -(-s.effective_ubatch // slots) * slots


def outputs(s: Settings) -> Number:
    """Tokens whose logits are computed. llama_context::sched_reserve: min(n_tokens, n_outputs_max). [tokens]"""
    from gyakusan.core.broadcast import least

    return least(tokens(s), s.slots) if s.outputs == "server" else least(tokens(s), s.batch)


def cells(memory: Memory, s: Settings) -> Number:
    """Cells that one stream of these layers looks at. [tokens]"""
    window = getattr(memory, "window", None)
    return s.cells if window is None else s.window_cells(window)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of the graph. device: copies of them on the GPU, or the inputs themselves on a CPU; host: on the host [B]."""

    device: Number
    host: Number


def inputs(model: Model, s: Settings) -> Inputs:
    """All inputs but the token vectors. Source: llama-graph.cpp, llm_graph_input_*; each a tensor of its own."""
    device = _sum(model, s, ALIGN[s.backend], host=s.backend == "cpu")
    return Inputs(device, _sum(model, s, ALIGN["cpu"], host=True))


def _sum(model: Model, s: Settings, align: int, host: bool) -> Number:
    t, graph = tokens(s), model.graph

    def sized(size: Number) -> Number:
        return round_up(size, align)

    total = sized(I32 * outputs(s))
    if graph.mixed:
        total = total + sized(I64 * t) + (2 * sized(I32 * t) if host else 0)
    else:
        total = total + sized(I32 * t)
    if graph.positions:
        total = total + sized(I32 * t * graph.positions)
    total = total + (graph.scaled + graph.temperature) * sized(F32 * t)
    if any(isinstance(m, Recurrent) for m in model.memory):
        total = total + sized(I32 * s.slots) * (1 if host else 2)
    for window in _windows(model):
        total = total + _cache_inputs(model, s, window, align)
    return total


def _windows(model: Model) -> tuple[int | None, ...]:
    """One cache for all layers without a window, one for those with it. llama-kv-cache-iswa.cpp."""
    kept = [m for m in model.memory if isinstance(m, (Attention, Latent))]
    return tuple({m.window: None for m in kept})


def _cache_inputs(model: Model, s: Settings, window: int | None, align: int) -> Number:
    """Where new tokens go, who may see whom, and the rotations of a quantised cache. [B]"""
    t = tokens(s)
    group = [m for m in model.memory if isinstance(m, (Attention, Latent)) and m.window == window]
    mask = (2 if s.flash else 4) * t * cells(group[0], s)
    total = round_up(I64 * t, align) + round_up(mask, align)
    values = max(m.value for m in model.memory if isinstance(m, (Attention, Latent)))
    if values:
        total = total + round_up(I64 * t * (1 if s.flash else values), align)
    return total + rotations(model, s)


def rotations(model: Model, s: Settings) -> int:
    """Hadamard matrices of one cache. llama_kv_cache::llama_kv_cache, attn_rot_k, attn_rot_v. [B]"""
    key, value = rotation(model, s)
    return F32 * (key * key + value * value)


def rotation(model: Model, s: Settings) -> tuple[int, int]:
    """Widths of the matrices that rotate keys and values, 0 for none. [values]"""
    heads = [(m.key_head, m.value_head) for m in model.memory if isinstance(m, Attention)]
    if not heads:
        return 0, 0
    keys, values = [k for k, _ in heads], [v for _, v in heads]
    key = ROTATION if dtype(s.key_type).quantized and keys[0] % ROTATION == 0 else 0
    while key and len(set(keys)) == 1 and keys[0] % (2 * key) == 0:
        key *= 2
    value = ROTATION if dtype(s.value_type).quantized and values[0] % ROTATION == 0 else 0
    return key, value
