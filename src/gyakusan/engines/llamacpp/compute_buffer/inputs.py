"""The inputs of llama.cpp's largest graph: tensors that the host fills for each batch.

Source: llama.cpp b11434, src/llama-graph.cpp (llm_graph_input_*), src/llama-kv-cache*.cpp (build_input_*).
"""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import round_up, where
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.backends import CUDA_SCAN_STATES, F16, F32, I32, I64
from gyakusan.engines.llamacpp.buffers.kv_cache import (
    compressed_cells,
    hadamard_widths,
    sequence_window_cells,
    stream_cells,
)
from gyakusan.engines.llamacpp.settings import STEP, Settings

BLOCK_MAP = 258
"""MiniMax-M3: values for each token in the maps between positions, cells and blocks."""


def inputs(model: Model, s: Settings, align: int, *, host: bool) -> Number:
    """Return the bytes of all inputs except the token vectors. [B] A number or an array. Each is a tensor of its own.

    align: tensors start at multiples of this [B]; host: True where they are filled, False for a GPU's copies of those that
    its layers read.
    """
    graph, t = model.graph, s.graph_tokens
    one, two = round_up(I32 * t, align), round_up(I64 * t, align)
    token_ids = two + (2 * one if host else 0) if graph.mixed else one
    total = round_up(I32 * s.graph_outputs, align) + token_ids + (graph.scaled + graph.temperature) * one
    if graph.positions:
        total = total + round_up(I32 * t * graph.positions, align)
    if any(isinstance(m, Recurrent) and m.kind != "compressor" for m in model.memory):
        total = total + round_up(I32 * s.slots, align) * (1 if host else 2)
    for cache in _caches(model):
        total = total + two + _cache_inputs(model, s, cache, align, cast=not host or s.backend == "cpu")
    if any(isinstance(m, Compressed) for m in model.memory):
        return total + _compressed_inputs(model, s)
    return total + _indexer_inputs(model, s, align, host)


def _caches(model: Model) -> tuple[tuple[Attention | Latent, ...], ...]:
    """Return the layers of each cache: one cache for layers without a window, one with it. llama-kv-cache-iswa.cpp."""
    layers = [m for m in model.memory if isinstance(m, (Attention, Latent))]
    return tuple(tuple(m for m in layers if m.window == w) for w in {m.window: None for m in layers})


def _cache_inputs(model: Model, s: Settings, cache: Sequence[Attention | Latent], align: int, *, cast: bool) -> Number:
    """Return one cache's mask, its cells for new values (those for keys are counted above) and Hadamard matrices [B].

    cast: flash attention is computed here, so that a mask that an earlier build filled in f32 is cast to f16 besides.
    """
    cells = s.graph_tokens * stream_cells(cache[0], s)
    total = round_up((F16 if s.flash and not s.of_build.wide_masks else F32) * cells, align)
    if s.flash and s.of_build.wide_masks and cast:
        total = total + round_up(F16 * cells, align)
    values = max(m.value for m in model.memory if isinstance(m, (Attention, Latent)))
    if values:
        total = total + round_up(I64 * s.graph_tokens * (values if s.transposed else 1), align)
    key, value = hadamard_widths(cache, s)
    return total + F32 * (key * key + value * value)


def _indexer_inputs(model: Model, s: Settings, align: int, host: bool) -> Number:
    """Return the inputs of an indexer's cache: cells to write; for latent attention its mask and Hadamard matrix too [B]."""
    indexer = next((m for m in model.memory if isinstance(m, Indexer)), None)
    if indexer is None:
        return 0
    to_write = round_up(I64 * s.graph_tokens, align)
    if indexer.value:
        return where(attends_to_blocks(model, s), to_write + (block_maps(s) if host else 0), 0)
    return to_write + round_up(F16 * s.graph_tokens * s.cells, align) + F32 * indexer.key * indexer.key


def attends_to_blocks(model: Model, s: Settings) -> bool | Number:
    """Return True, elementwise, if attention looks at chosen blocks only. src/models/minimax-m3.cpp.

    MiniMax-M3 looks at all tokens without flash attention, or if several slots share one cache.
    """
    blocks = s.flash and any(isinstance(m, Indexer) and m.value for m in model.memory)
    return s.slots == 1 if blocks and s.unified else blocks


def block_maps(s: Settings) -> Number:
    """Return MiniMax-M3's maps between positions, cells and blocks; on a GPU each layer has its own. [B] minimax-m3.cpp."""
    return F32 * (BLOCK_MAP * s.graph_tokens + s.streams * (s.cells + STEP))


def _compressed_inputs(model: Model, s: Settings) -> Number:
    """Return DeepSeek-V4's masks, what each compressor reads and writes, and Hadamard matrices [B]."""
    t, groups, mask_value = (
        s.graph_tokens,
        [m for m in model.memory if isinstance(m, Compressed)],
        F16 if s.flash else F32,
    )
    total = mask_value * t * sequence_window_cells(s, groups[0].window) + I64 * t
    for m in groups:
        if m.ratio:
            mask = t * compressed_cells(s, m.ratio)
            total = total + mask_value * mask + (F16 * mask + F32 * m.indexer**2 if m.indexer else 0)
            total = total + (2 if m.indexer else 1) * 4 * F32 * t
    matrices = len({m.ratio for m in groups}) * F32 * groups[0].key ** 2
    return total + (matrices if dtype(s.key_type).quantized else 0)


def scans_on_host(model: Model) -> tuple[Recurrent, ...]:
    """Return the layers whose scan has no CUDA kernel, so that it runs on the host.

    Source: ggml-cuda.cu, ggml_backend_cuda_device_supports_op, GGML_OP_SSM_SCAN.
    """
    scans = (m for m in model.memory if isinstance(m, Recurrent) and m.kind in CUDA_SCAN_STATES)
    return tuple(m for m in scans if m.state_size not in CUDA_SCAN_STATES[m.kind])
