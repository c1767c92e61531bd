"""What every compute buffer of llama.cpp starts with: the graph's inputs and the residual vectors that live through it."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, maximum, minimum, round_up, where
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
    """Tokens of the worst-case graph. llama_context::graph_reserve. [tokens]"""
    return s.graph_tokens


def outputs(s: Settings, t: Number) -> Number:
    """Tokens of `t` whose logits are computed. llama_context::sched_reserve: min(n_tokens, n_outputs_max). [tokens]"""
    return minimum(t, s.slots) if s.outputs == "server" else minimum(t, s.batch)


def cells(memory: Memory, s: Settings) -> Number:
    """Cells that one stream of these layers looks at. [tokens]"""
    window = getattr(memory, "window", None)
    return s.cells if window is None else s.window_cells(window)


def inputs(model: Model, s: Settings, t: Number, align: int, host: bool) -> Number:
    """All inputs but the token vectors, of a graph of `t` tokens. [B] Each is a tensor of its own: llama-graph.cpp.

    host: where they are filled; a GPU holds copies of those that its layers read.
    """
    graph, total = model.graph, round_up(I32 * outputs(s, t), align)
    one, two = round_up(I32 * t, align), round_up(I64 * t, align)
    ids = two + (2 * one if host else 0) if graph.mixed else one
    total = total + ids + (graph.scaled + graph.temperature) * one
    if graph.positions:
        total = total + round_up(I32 * t * graph.positions, align)
    if any(isinstance(m, Recurrent) and m.kind != "compressor" for m in model.memory):
        total = total + round_up(I32 * s.slots, align) * (1 if host else 2)
    for group in _caches(model):
        total = total + two + _cache_inputs(model, s, t, group, align)
    if any(isinstance(m, Compressed) for m in model.memory):
        return total + _compressed_inputs(model, s, t)
    return total + _indexer_inputs(model, s, t, align, host)


def _caches(model: Model) -> tuple[tuple[Attention | Latent, ...], ...]:
    """One cache for all layers without a window, one for those with it. llama-kv-cache-iswa.cpp."""
    kept = [m for m in model.memory if isinstance(m, (Attention, Latent))]
    return tuple(tuple(m for m in kept if m.window == w) for w in {m.window: None for m in kept})


def _cache_inputs(model: Model, s: Settings, t: Number, group: Sequence[Attention | Latent], align: int) -> Number:
    """Where new values go (new keys are counted), who may see whom, and the rotations of a quantised cache. [B]"""
    total = round_up((2 if s.flash else 4) * t * cells(group[0], s), align)
    values = max(m.value for m in model.memory if isinstance(m, (Attention, Latent)))
    if values:
        total = total + round_up(I64 * t * (1 if s.flash else values), align)
    return total + rotations(group, s)


def _indexer_inputs(model: Model, s: Settings, t: Number, align: int, host: bool) -> Number:
    """Inputs of a second cache that chooses tokens: places, and for latent attention a mask and a rotation of its own. [B]"""
    index = next((m for m in model.memory if isinstance(m, Indexer)), None)
    if index is None:
        return 0
    places = round_up(I64 * t, align)
    if index.value:
        return where(block_sparse(model, s), places + (positions(s, t) if host else 0), 0)
    return places + round_up(2 * t * s.cells, align) + F32 * index.key * index.key


def block_sparse(model: Model, s: Settings) -> Number:
    """True, elementwise, if attention really looks at chosen blocks. src/models/minimax-m3.cpp

    MiniMax-M3 falls back to all tokens without flash attention, or if several slots share one cache.
    """
    chosen = s.flash and any(isinstance(m, Indexer) and m.value for m in model.memory)
    return s.slots == 1 if chosen and s.unified else chosen


def positions(s: Settings, t: Number) -> Number:
    """MiniMax-M3's maps between positions, cells and blocks; on a GPU each layer has its own. minimax-m3.cpp. [B]"""
    return F32 * (POSITIONS * t + s.streams * (s.cells + 256))


def compressed_cells(s: Settings, ratio: int) -> Number:
    """Cells of one stream of compressed keys. llama-kv-cache-dsv4.cpp. [tokens]"""
    return round_up(maximum(1, ceil_div(s.cells, ratio)), 256)


def _compressed_inputs(model: Model, s: Settings, t: Number) -> Number:
    """Masks of DeepSeek-V4's caches, where each compressor reads and writes, and rotations. [B]"""
    found, wide = [m for m in model.memory if isinstance(m, Compressed)], 2 if s.flash else 4
    total = wide * t * sequence_window(s, found[0].window) + I64 * t
    for m in found:
        if m.ratio:
            mask = t * compressed_cells(s, m.ratio)
            total = total + wide * mask + (2 * mask + F32 * m.indexer**2 if m.indexer else 0)
            total = total + (2 if m.indexer else 1) * 4 * F32 * t
    turned = len({m.ratio for m in found}) * F32 * found[0].key ** 2
    return total + (turned if dtype(s.key_type).quantized else 0)


def sequence_window(s: Settings, window: int) -> Number:
    """Cells of the windowed keys, one stream for each slot even in a unified cache. [tokens]"""
    return s.cells if s.swa_full else round_up(minimum(s.cells, window + s.effective_ubatch), 256)


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
