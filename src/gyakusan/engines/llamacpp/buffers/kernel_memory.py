"""What kernels of attention and of experts need besides their result, in the result's own place of the compute buffer.

Source: llama.cpp b11434, ggml-cuda/fattn.cu; ggml-metal/ggml-metal-ops.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, maximum, minimum, round_up, where
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Latent
from gyakusan.engines.llamacpp.backends import F16, F32, READS_F16_CACHE
from gyakusan.engines.llamacpp.buffers.kv_cache import stream_cells
from gyakusan.engines.llamacpp.settings import Settings

WORKGROUPS = 32
"""Metal's attention computes one query in this many parts."""
TILE_CELLS, TILE_TOKENS = 64, 8
"""Cells and tokens of one step of Metal's attention. ggml-metal-impl.h, OP_FLASH_ATTN_EXT_NCPSG and _NQPSG."""


def attention_copies(layer: Attention | Latent, settings: Settings) -> Number:
    """Return the bytes that flash attention of one layer reserves behind its result. [B] A number or an array.

    CUDA's kernels keep f16 copies of a cache of another type there, but not for one or two tokens of each stream, which
    the vector kernel reads as they are (ggml-cuda/fattn.cu). A cache in f32 is cast on any backend. Metal reserves a copy
    of any cache, and more. Vulkan's kernels read the cache as it is.
    """
    cells, rules = stream_cells(layer, settings), settings.allocation_rules
    if settings.of_build.copies_outside and rules in READS_F16_CACHE:
        return 0
    copies: Number = 0
    for width, kind in zip((layer.key, layer.value), settings.cache_types, strict=True):
        if kind == "F32" or (rules in READS_F16_CACHE and kind != "F16"):
            copies = copies + F16 * cells * settings.streams * width
    copies = where(settings.graph_tokens // settings.streams <= 2, 0, copies)
    return copies + _metal_attention(layer, settings, cells) if rules == "metal" else copies


def copied_to_host(layer: Attention | Latent, s: Settings) -> Number:
    """Return what the CPU gets of a GPU where it computes one layer's attention: keys, values and queries [B]."""
    rows = stream_cells(layer, s) * s.streams
    values = dtype(s.value_type).row(layer.value) * rows if layer.value else 0
    width = layer.key_head if isinstance(layer, Attention) else layer.key
    return dtype(s.key_type).row(layer.key) * rows + values + F32 * s.graph_tokens * layer.heads * width


def pooled_copies(layers: Iterable[Attention | Latent], settings: Settings) -> Number:
    """Return f16 copies of a quantised cache that builds before b9520 took from CUDA's pool: of the largest layer [B].

    Source: PR 23907. The pool is not in the compute buffer, and the log does not name it.
    """
    if not settings.of_build.copies_outside or settings.allocation_rules not in READS_F16_CACHE or not settings.flash:
        return 0
    now = replace(settings, build="")
    return maximum(0, *(attention_copies(m, now) for m in layers))


def _metal_attention(m: Attention | Latent, s: Settings, cells: Number) -> Number:
    """Return what Metal reserves behind the result of attention, whatever the type of the cache [B].

    It is an f16 copy of one layer's keys and values, results of the workgroups, the last tile once more, and a map of the
    mask. cells: of one stream [tokens].
    Source: ggml-metal-ops.cpp, ggml_metal_op_flash_attn_ext_extra_{kv_f16,tmp,pad,blk}.
    """
    each = ceil_div(s.graph_tokens, s.streams)
    copy = F16 * cells * s.streams * (m.key + m.value)
    results = F32 * minimum(each, WORKGROUPS) * m.heads * s.streams * WORKGROUPS * (m.value_head + 2)
    heads = m.key // m.key_head if isinstance(m, Attention) else 1
    tile = TILE_CELLS * s.streams * (heads * sum(_strides(m, s)) + F16 * each)
    return copy + results + tile + round_up(ceil_div(cells, TILE_CELLS) * ceil_div(each, TILE_TOKENS) * s.streams, 32)


def _strides(m: Attention | Latent, s: Settings) -> tuple[int, int]:
    """Return the bytes from one token's keys, and values, to the next. A copy in f16 has its heads apart [B]."""
    widths = ((m.key_head, m.key), (m.value_head, m.value)) if isinstance(m, Attention) else ((m.key, m.key),) * 2
    key, value = (
        F16 * (head if dtype(kind).quantized else row) for kind, (head, row) in zip(s.cache_types, widths, strict=True)
    )
    return key, value


def metal_expert_lists(experts: int, tokens: Number) -> Number:
    """Return the bytes of the lists of tokens by expert that gate's and up's products keep at once under Metal [B].

    experts: number of experts; tokens: of the graph [tokens].
    Source: ggml-metal-ops.cpp, ggml_metal_op_mul_mat_id_extra_{tpe,ids}.
    """
    return 2 * F32 * experts * (tokens + 1)
