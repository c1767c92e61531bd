"""Peaks of latent attention (DeepSeek-V2, V3) and of sparse attention.

Sparse attention looks at chosen tokens (DeepSeek-V3.2, GLM-5), at compressed keys (DeepSeek-V4) or at chosen blocks
(MiniMax-M3). Words: see the picture in this package's docstring.
Source: llama.cpp b11434, src/models/deepseek2.cpp, minimax-m3.cpp, src/llama-kv-cache-dsv4.cpp, src/llama-graph.cpp.
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, where
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Compressed, Experts, Indexer, Latent
from gyakusan.engines.llamacpp.backends import F16, F32
from gyakusan.engines.llamacpp.buffers.kernel_memory import attention_copies
from gyakusan.engines.llamacpp.buffers.kv_cache import (
    compressed_cells,
    hadamard_widths,
    sequence_window_cells,
    stream_cells,
)
from gyakusan.engines.llamacpp.compute_buffer.base import Base
from gyakusan.engines.llamacpp.compute_buffer.inputs import attends_to_blocks, block_maps


def latent_attention(base: Base) -> Number:
    """Return queries, their part absorbed into the latent space, and both joined; then output or scores of all heads [B]."""
    layers = [m for m in base.model.memory if isinstance(m, Latent)]
    if not layers:
        return 0
    step = _chosen_tokens if any(isinstance(m, Indexer) for m in base.model.memory) else _all_tokens
    return maximum(*(step(base, m) for m in layers))


def _rope_above(base: Base, m: Latent) -> bool:
    """Return True if the rotated part of the queries is too wide for a free block."""
    return m.heads * m.rope > base.model.embedding


def _all_tokens(base: Base, m: Latent) -> Number:
    """Return the bytes of one layer of DeepSeek-V2 or V3 [B]."""
    freed, joined = _absorbed_and_joined(base, m, rope_above=_rope_above(base, m))
    if not base.settings.flash:
        scores, values = base.per_token(m.heads * stream_cells(m, base.settings)), _contiguous_values(base, m)
        return freed + joined + where(scores > freed, scores, 0) + where(values > freed, values, 0)
    copies = attention_copies(m, base.settings)
    if base.settings.cache_types[0] == "F32":
        return freed + joined + copies + _contiguous_values(base, m) // 2
    output = base.per_token(m.heads * m.rank) + copies
    return freed + joined + where(output > freed, output, 0)


def _absorbed_and_joined(base: Base, m: Latent, *, rope_above: bool) -> tuple[Number, Number]:
    """Return the bytes that are free once queries are joined, and those of the joined queries [B]."""
    width = m.heads * (m.nope + m.rope + m.rank) + (m.heads * m.rope if rope_above else 0)
    return base.per_token(width), base.per_token(m.heads * m.key)


def _contiguous_values(base: Base, m: Latent) -> Number:
    """Return the latent vectors once more, contiguous, for attention without flash [B]."""
    value = F32 if base.settings.cache_types[0] == "F32" else F16
    return value * stream_cells(m, base.settings) * base.settings.streams * m.rank


def _chosen_tokens(base: Base, m: Latent) -> Number:
    """Return one layer of DeepSeek-V3.2 or GLM-5: indexer's scores and mask of the chosen tokens are alive as well [B]."""
    s, rope_above = base.settings, _rope_above(base, m)
    freed, joined = _absorbed_and_joined(base, m, rope_above=rope_above)
    freed_later, _ = _absorbed_and_joined(base, m, rope_above=False)
    mask, scores = F16 * s.graph_tokens * s.cells, base.per_token(s.cells)
    if base.on_gpu and not rope_above:
        masks_fit = (2 * mask <= freed_later) if s.flash and s.cache_types[0] == "F16" else False
        joined = joined + where(masks_fit, 0, base.residual)
    if not s.flash:
        return _chosen_tokens_without_flash(base, m, freed, joined, scores)
    absorbed = base.per_token(m.heads * m.rank)
    output = absorbed + attention_copies(m, s)
    masked = freed + joined + mask + where(mask > freed, mask, 0) + where(output > freed, output, 0)
    return maximum(
        freed + joined,
        where(output > freed - 2 * mask, freed + joined + output, 0),
        where(output > freed_later - 2 * mask, freed_later + joined + output, 0),
        where(output > absorbed, absorbed + joined + output, 0),
        where(2 * mask > freed, masked, 0),
        where(scores > freed, freed + joined + scores, 0),
    )


def _chosen_tokens_without_flash(base: Base, m: Latent, freed: Number, joined: Number, scores: Number) -> Number:
    """Return one layer's scores of all heads, above contiguous values and indexer's scores that fit no free block [B]."""
    values = _contiguous_values(base, m)
    values_above = where(values > freed, values, 0)
    free_for_scores = freed + joined - where(values > freed, 0, values)
    scores_above = where(2 * scores > free_for_scores, 2 * scores, 0)
    heads = base.per_token(m.heads * base.settings.cells)
    return freed + joined + where(heads > freed - values, heads, 0) + values_above + scores_above


def sparse_selection(base: Base) -> Number:
    """Return what the choice of tokens, cells or blocks keeps for the whole graph: it belongs to the base [B]."""
    model, s, limit = base.model, base.settings, base.model.graph.selected
    indexers = [m for m in model.memory if isinstance(m, Indexer)]
    layers = sum(len(m.layers) for m in indexers)
    if any(m.value for m in indexers):
        return where(attends_to_blocks(model, s), layers * block_maps(s) if base.on_gpu else 0, 0)
    if indexers and any(isinstance(m, Latent) for m in model.memory):
        return layers * base.per_token(minimum(s.cells, limit))
    for m in model.memory:
        if isinstance(m, Compressed) and m.indexer:
            chosen = minimum(compressed_cells(s, m.ratio), limit)
            return len(m.layers) * (F16 if s.flash else F32) * s.graph_tokens * chosen
    return 0


INDEX_HEADS = 64
"""Heads of the indexers of DeepSeek-V3.2, V4 and GLM-5 (index_n_heads); no record of ours holds the number."""


def unfused_indexer(base: Base) -> Number:
    """Return the scores of all heads of an indexer and the copy that is weighed, as builds before the fused operation had them.

    67,094.60 MiB were seen of DeepSeek-V4 at 1,048,576 tokens, of which 65,536 are these. Source: PR 24231, issue 25468. [B]
    """
    if not base.settings.of_build.unfused_indexer:
        return 0
    scores: Number = 0
    for m in base.model.memory:
        if isinstance(m, Compressed) and m.indexer:
            scores = maximum(scores, base.per_token(compressed_cells(base.settings, m.ratio)))
        elif isinstance(m, Indexer) and not m.value:
            scores = maximum(scores, base.per_token(base.settings.cells))
    return 2 * INDEX_HEADS * scores


def block_attention(base: Base) -> Number:
    """Return MiniMax-M3's mask and keys of the chosen blocks of all KV heads, gathered and transposed [B]."""
    if not any(isinstance(m, Indexer) and m.value for m in base.model.memory):
        return 0
    attends = maximum(*(_gathered_blocks(base, m) for m in base.model.memory if isinstance(m, Attention)))
    mixed = (_experts_above_mask(base, f) for f in base.model.feed_forward if isinstance(f, Experts))
    return where(attends_to_blocks(base.model, base.settings), maximum(attends, *mixed), 0)


def _experts_above_mask(base: Base, f: Experts) -> Number:
    """Return one layer's experts: the mask lives through all layers, and experts find no free block [B]."""
    s, e = base.settings, base.model.embedding
    mask = where(s.cells > e, s.cells, 0)
    residual = e if hadamard_widths(base.model.memory, s)[0] else 0
    return base.per_token(mask + residual + (4 if base.on_gpu else 3) * f.used * f.width)


def _gathered_blocks(base: Base, m: Attention) -> Number:
    s, q, e = base.settings, m.heads * m.key_head, base.model.embedding
    gathered = 2 * (m.key // m.key_head) * s.cells // s.streams
    mask = where(s.cells <= e, 0 if base.on_gpu else q + e, s.cells)
    return base.per_token((1 if hadamard_widths((m,), s)[0] else 2) * q + mask + gathered)


def compressed_attention(base: Base) -> Number:
    """Return DeepSeek-V4's queries before and after their norm; then the joined cache, its mask and the output [B]."""
    return maximum(0, *(_joined_cache(base, m) for m in base.model.memory if isinstance(m, Compressed)))


def _joined_cache(base: Base, m: Compressed) -> Number:
    """Return one layer's queries, and window and compressed keys joined into one tensor with its mask [B]."""
    s, q = base.settings, base.per_token(m.heads * m.key)
    compressed = compressed_cells(s, m.ratio) if m.ratio else 0
    cells = sequence_window_cells(s, m.window) + compressed
    free_block, values = base.model.graph.streams * base.residual, F16 * cells * s.slots * m.key
    mask = (F16 if s.flash else F32) * s.graph_tokens * cells
    chosen = F16 * s.graph_tokens * compressed if m.indexer else 0
    if not s.flash:
        below = _below_scores(base, q, free_block, values, q + 2 * chosen + values + mask)
        return base.per_token(m.heads * cells) + below
    keys = dtype(s.key_type).row(m.key) * cells * s.slots
    if base.on_gpu and s.cache_types[0] != "F16":
        return where(keys > free_block, q + keys + mask, where(mask > free_block, 2 * q + mask, q)) + q + values
    mask_or_query = where(mask <= q - chosen, q, mask)
    keys_fit_query = chosen + mask + q
    fits = mask + keys <= free_block - free_block // 16
    keys_fit_block = where(fits, 0, where(mask <= q - chosen, q - base.residual, mask))
    top = where(keys > q, keys + mask_or_query, where(keys > free_block, keys_fit_query, keys_fit_block))
    return 2 * q + (
        top if base.on_gpu else maximum(where(keys > free_block, top, 0), _above_queries_on_cpu(base, q, keys))
    )


def _below_scores(base: Base, q: Number, free_block: Number, values: Number, wide_values: Number) -> Number:
    """Return what is alive below the scores of all heads, without flash attention [B]."""
    residuals = 3 * base.residual
    values_above = where(values > q, residuals + 2 * q + 2 * values, wide_values)
    return where(values > free_block, values_above, residuals + 2 * q)


def _above_queries_on_cpu(base: Base, q: Number, keys: Number) -> Number:
    """Return what lies above the queries on a CPU, whose free blocks are not adjacent: output or five residual vectors [B]."""
    five = 5 * base.residual
    return where(keys > base.residual, q, five) if base.settings.cache_types[0] == "F16" else five
