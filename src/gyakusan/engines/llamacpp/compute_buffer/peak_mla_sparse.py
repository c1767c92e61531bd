"""Peaks of latent attention (DeepSeek-V2, V3) and of sparse ones: chosen tokens (V3.2), compressed (V4), blocks (MiniMax-M3)."""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, where
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Compressed, Experts, Indexer, Latent
from gyakusan.engines.llamacpp.compute_buffer.inputs import (
    block_sparse,
    cells,
    compressed_cells,
    positions,
    rotation,
    sequence_window,
)
from gyakusan.engines.llamacpp.compute_buffer.peak_dense import Work, copies


def latent(w: Work) -> Number:
    """Queries, their part absorbed into the latent space, and both joined; then the result, or the scores of all heads. [B]"""
    found = [m for m in w.model.memory if isinstance(m, Latent)]
    if not found:
        return 0
    sparse = any(isinstance(m, Indexer) for m in w.model.memory)
    return maximum(*(_chosen(w, m) if sparse else _latent(w, m) for m in found))


def _latent(w: Work, m: Latent) -> Number:
    freed, joined = _absorbed(w, m, apart=m.heads * m.rope > w.model.embedding)
    if not w.settings.flash:
        scores, values = w.wide(m.heads * cells(m, w.settings)), _values(w, m)
        return freed + joined + where(scores > freed, scores, 0) + where(values > freed, values, 0)
    if w.settings.key_type.upper() == "F32":
        return freed + joined + copies(w, m) + _values(w, m) // 2
    result = w.wide(m.heads * m.rank) + copies(w, m)
    return freed + joined + where(result > freed, result, 0)


def _absorbed(w: Work, m: Latent, apart: bool) -> tuple[Number, Number]:
    """Bytes that are free once queries are joined, and of the joined ones. apart: the rotated part has a place of its own."""
    width = m.heads * (m.nope + m.rope + m.rank) + (m.heads * m.rope if apart else 0)
    return w.wide(width), w.wide(m.heads * m.key)


def _values(w: Work, m: Latent) -> Number:
    """The latent vectors once more, contiguous, for attention without flash. [B]"""
    size = 2 if w.settings.key_type.upper() != "F32" else 4
    return size * cells(m, w.settings) * w.settings.streams * m.rank


def _chosen(w: Work, m: Latent) -> Number:
    """DeepSeek-V3.2, GLM-5: the same, beside the indexer's scores and the mask of the chosen tokens. [B]"""
    s = w.settings
    apart = m.heads * m.rope > w.model.embedding
    freed, joined = _absorbed(w, m, apart)
    later, _ = _absorbed(w, m, apart=False)
    mask, scores = 2 * w.tokens * s.cells, w.wide(s.cells)
    if w.cuda and not apart:
        small = (2 * mask <= later) if s.flash and s.key_type.upper() == "F16" else False
        joined = joined + where(small, 0, w.wide(w.model.embedding))
    if not s.flash:
        values = _values(w, m)
        room = freed + joined - where(values > freed, 0, values)
        kept = where(values > freed, values, 0) + where(2 * scores > room, 2 * scores, 0)
        heads = w.wide(m.heads * s.cells)
        return freed + joined + where(heads > freed - values, heads, 0) + kept
    result = w.wide(m.heads * m.rank) + copies(w, m)
    absorbed = w.wide(m.heads * m.rank)
    masked = freed + joined + mask + where(mask > freed, mask, 0) + where(result > freed, result, 0)
    return maximum(
        freed + joined,
        where(result > freed - 2 * mask, freed + joined + result, 0),
        where(result > later - 2 * mask, later + joined + result, 0),
        where(result > absorbed, absorbed + joined + result, 0),
        where(2 * mask > freed, masked, 0),
        where(scores > freed, freed + joined + scores, 0),
    )


def selected(w: Work) -> Number:
    """Places of the tokens that each layer's indexer chose: part of the base of the whole graph. [B]"""
    model, s = w.model, w.settings
    limit = model.graph.selected
    index = [m for m in model.memory if isinstance(m, Indexer)]
    if any(m.value for m in index):
        maps = sum(len(m.layers) for m in index) * positions(s, w.tokens) if w.cuda else 0
        return where(block_sparse(model, s), maps, 0)
    if any(isinstance(m, Latent) for m in model.memory) and index:
        return sum(len(m.layers) for m in index) * w.wide(minimum(s.cells, limit))
    for m in model.memory:
        if isinstance(m, Compressed) and m.indexer:
            kept = minimum(compressed_cells(s, m.ratio), limit)
            return len(m.layers) * (2 if s.flash else 4) * w.tokens * kept
    return 0


def blocks(w: Work) -> Number:
    """MiniMax-M3: the mask, and keys of the chosen blocks of all KV heads, gathered and turned. [B]"""
    if not any(isinstance(m, Indexer) and m.value for m in w.model.memory):
        return 0
    attends = maximum(*(_blocks(w, m) for m in w.model.memory if isinstance(m, Attention)))
    mixed = (_masked_experts(w, f) for f in w.model.feed_forward if isinstance(f, Experts))
    return where(block_sparse(w.model, w.settings), maximum(attends, *mixed), 0)


def _masked_experts(w: Work, f: Experts) -> Number:
    """The mask lives through all layers: experts find the holes taken."""
    s, e = w.settings, w.model.embedding
    mask = where(s.cells > e, s.cells, 0)
    lifted = e if rotation(w.model.memory, s)[0] else 0
    return w.wide(mask + lifted + (4 if w.cuda else 3) * f.used * f.width)


def _blocks(w: Work, m: Attention) -> Number:
    s, q = w.settings, m.heads * m.key_head
    gathered = 2 * (m.key // m.key_head) * s.cells // s.streams
    mask = where(s.cells <= w.model.embedding, 0 if w.cuda else q + w.model.embedding, s.cells)
    return w.wide((1 if rotation((m,), s)[0] else 2) * q + mask + gathered)


def joined_cache(w: Work, m: Compressed) -> Number:
    """DeepSeek-V4, one group of layers: queries, and window and compressed keys joined into one tensor with its mask. [B]"""
    s, q = w.settings, w.wide(m.heads * m.key)
    near = compressed_cells(s, m.ratio) if m.ratio else 0
    count = sequence_window(s, m.window) + near
    room, size = w.wide(w.model.graph.streams * w.model.embedding), 2 * count * s.slots * m.key
    mask, chosen = (2 if s.flash else 4) * w.tokens * count, 2 * w.tokens * near if m.indexer else 0
    if not s.flash:
        return w.wide(m.heads * count) + _unflashed(w, q, room, size, mask, chosen)
    keys = dtype(s.key_type).row(m.key) * count * s.slots
    if w.cuda and s.key_type.upper() != "F16":
        return where(keys > room, q + keys + mask, where(mask > room, 2 * q + mask, q)) + q + size
    many = keys + where(mask <= q - chosen, q, mask)
    some = chosen + mask + q
    few = where(mask + keys <= room - room // 16, 0, where(mask <= q - chosen, q - w.wide(w.model.embedding), mask))
    top = where(keys > q, many, where(keys > room, some, few))
    return 2 * q + (top if w.cuda else maximum(where(keys > room, top, 0), _on_cpu(w, q, keys)))


def _unflashed(w: Work, q: Number, room: Number, values: Number, mask: Number, chosen: Number) -> Number:
    """What lies below the scores of all heads. [B]"""
    lifted = 3 * w.wide(w.model.embedding)
    high = where(values > q, lifted + 2 * q + 2 * values, q + 2 * chosen + values + mask)
    return where(values > room, high, lifted + 2 * q)


def _on_cpu(w: Work, q: Number, keys: Number) -> Number:
    """A CPU's holes are apart: results or five vectors more stack up. [B]"""
    one = w.wide(w.model.embedding)
    return where(keys > one, q, 5 * one) if w.settings.key_type.upper() == "F16" else 5 * one
