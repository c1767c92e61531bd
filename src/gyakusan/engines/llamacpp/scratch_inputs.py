"""What every compute buffer of llama.cpp starts with: the graph's inputs and the residual vectors that live through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gyakusan.core.broadcast import Number, ceil_div, least, most, round_up
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.engines.llamacpp.settings import Settings

F32 = 4
I32 = 4
I64 = 8
ALIGN = {"cpu": 32, "cuda": 128}
"""Tensors start at multiples of this in a compute buffer. [B]"""
ROTATION = 64
"""Quantised caches are rotated by a Hadamard matrix of at least this width. llama-kv-cache.cpp, attn_rot_k."""

SCANNED = {"mamba": (16,), "mamba2": (96, 128, 256)}
"""State sizes that CUDA's scans know."""
POSITIONS = 258
"""MiniMax-M3: values for each token in the maps between positions, cells and blocks."""


def tokens(s: Settings) -> Number:
    """Tokens of the worst-case graph: one ubatch, the same number for each slot. llama_context::graph_reserve. [tokens]

    A ubatch is never more than the context that was asked for, before padding.
    """
    return ceil_div(least(s.context, s.effective_ubatch), s.slots) * s.slots


def outputs(s: Settings) -> Number:
    """Tokens whose logits are computed. llama_context::sched_reserve: min(n_tokens, n_outputs_max). [tokens]"""
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
    if any(isinstance(m, Recurrent) and m.kind != "compressor" for m in model.memory):
        total = total + sized(I32 * s.slots) * (1 if host else 2)
    for window in _windows(model):
        total = total + _cache_inputs(model, s, window, align)
    if any(isinstance(m, Compressed) for m in model.memory):
        return total + _compressed_inputs(model, s)
    if host and block_sparse(model, s):
        total = total + positions(s)
    return total + _indexer_inputs(model, s, align)


def positions(s: Settings) -> Number:
    """MiniMax-M3's maps between positions, cells and blocks; on a GPU each layer has its own. minimax-m3.cpp. [B]"""
    return F32 * (POSITIONS * tokens(s) + s.streams * (s.cells + 256))


def _indexer_inputs(model: Model, s: Settings, align: int) -> Number:
    """Inputs of a second cache that chooses tokens: places, and for latent attention a mask and a rotation of its own. [B]"""
    index = next((m for m in model.memory if isinstance(m, Indexer)), None)
    if index is None:
        return 0
    t = tokens(s)
    places = round_up(I64 * t, align)
    if any(isinstance(m, Attention) for m in model.memory):
        return places if block_sparse(model, s) else 0
    mask = 2 * t * s.cells
    return places + round_up(mask, align) + F32 * index.key * index.key


def block_sparse(model: Model, s: Settings) -> bool:
    """True if attention really looks at chosen blocks: MiniMax-M3 falls back to all tokens without flash attention, or if
    several slots share one cache. src/models/minimax-m3.cpp."""
    chosen = any(isinstance(m, Indexer) and m.value for m in model.memory)
    return chosen and s.flash and not (s.unified and not _one(s.slots))


def _one(slots: Number) -> bool:
    return bool((slots == 1) if not hasattr(slots, "shape") else (slots == 1).all())


def compressed_cells(s: Settings, ratio: int) -> Number:
    """Cells of one stream of compressed keys. llama-kv-cache-dsv4.cpp. [tokens]"""
    return round_up(most(1, ceil_div(s.cells, ratio)), 256)


def _compressed_inputs(model: Model, s: Settings) -> Number:
    """Masks of DeepSeek-V4's caches, and where each compressor reads and writes. [B]"""
    t, total, wide = tokens(s), 0, 2 if s.flash else 4
    window = next(m.window for m in model.memory if isinstance(m, Compressed))
    total = wide * t * sequence_window(s, window) + I64 * t
    for m in model.memory:
        if isinstance(m, Compressed) and m.ratio:
            mask = t * compressed_cells(s, m.ratio)
            total = total + wide * mask + (2 * mask + F32 * m.indexer**2 if m.indexer else 0)
            total = total + (2 if m.indexer else 1) * 4 * F32 * t
    caches = len({m.ratio for m in model.memory if isinstance(m, Compressed)})
    width = next(m.key for m in model.memory if isinstance(m, Compressed))
    return total + (caches * F32 * width**2 if dtype(s.key_type).quantized else 0)


def sequence_window(s: Settings, window: int) -> Number:
    """Cells of the windowed keys, one stream for each slot even in a unified cache. [tokens]"""
    return s.cells if s.swa_full else round_up(least(s.cells, window + s.effective_ubatch), 256)


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
    return total + rotations(group, s)


def rotations(group: Sequence[Memory], s: Settings) -> int:
    """Hadamard matrices of one cache. llama_kv_cache::llama_kv_cache, attn_rot_k, attn_rot_v. [B]"""
    key, value = rotation(group, s)
    return F32 * (key * key + value * value)


def rotation(group: Sequence[Memory], s: Settings) -> tuple[int, int]:
    """Widths of the matrices that rotate keys and values of one cache, 0 for none. [values]"""
    heads = [m for m in group if isinstance(m, Attention)]
    if not heads:
        return 0, 0
    width = heads[0].key_head
    key = ROTATION if dtype(s.key_type).quantized and width % ROTATION == 0 else 0
    while key and width % (2 * key) == 0:
        key *= 2
    turned = dtype(s.value_type).quantized and heads[0].value_head % ROTATION == 0
    return key, ROTATION if turned else 0


def off_device(model: Model) -> tuple[Recurrent, ...]:
    """Layers whose scan CUDA has no kernel for: it runs on the host. ggml_backend_cuda_device_supports_op, GGML_OP_SSM_SCAN."""
    found = (m for m in model.memory if isinstance(m, Recurrent) and m.kind in SCANNED)
    return tuple(m for m in found if m.state_size not in SCANNED[m.kind])
