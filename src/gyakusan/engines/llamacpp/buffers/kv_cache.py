"""What llama.cpp keeps between tokens: which cells each group of layers gets, and their bytes.

Source: llama.cpp b11434, src/llama-kv-cache*.cpp, src/llama-memory-recurrent.cpp, src/llama-model.cpp (create_memory).
"""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core import cache
from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, maximum, minimum, round_up
from gyakusan.core.cache import Padding, padded
from gyakusan.core.dtypes import DType, dtype
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.engines.llamacpp.backends import PADDING
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting


@dataclass(frozen=True, slots=True)
class CacheGroup:
    """Bytes of one group of layers. cells: tokens of one stream, 1 for a state; streams: separate caches or states."""

    memory: Memory
    cells: Number
    streams: Number
    bytes: Number


def groups(model: Model, settings: Settings) -> tuple[CacheGroup, ...]:
    """One entry for each group of the model's memory. Numbers broadcast over the settings. Raises BadSetting."""
    key, value = dtype(settings.key_type), dtype(settings.value_type)
    _divisible(model, key, value)
    widest = None if settings.flash else _widest(model)
    padding = PADDING[settings.stores]
    return tuple(_group(m, settings, key, value, padding, widest) for m in model.memory)


def kv_cache(model: Model, settings: Settings) -> Number:
    """Keys, values and indexers of all layers. [B]"""
    return sum(g.bytes for g in groups(model, settings) if not isinstance(g.memory, Recurrent))


def recurrent_state(model: Model, settings: Settings) -> Number:
    """States of all recurrent layers and all sequences. [B]"""
    return sum(g.bytes for g in groups(model, settings) if isinstance(g.memory, Recurrent))


def _group(memory: Memory, s: Settings, key: DType, value: DType, padding: Padding, widest: int | None) -> CacheGroup:
    """`widest`: width that values are padded to when they are stored transposed (no flash attention)."""
    match memory:
        case Recurrent():
            return CacheGroup(memory, 1, s.slots, cache.recurrent_state(memory, s.slots, padding))
        case Compressed():
            return _compressed(memory, s, key, padding)
        case Attention(window=int(window)) | Latent(window=int(window)):
            cells = s.window_cells(window)
        case _:
            cells = s.cells
    width = widest if isinstance(memory, Attention) else None
    size = cache.kv_cache(memory, cells * s.streams, key, value, padding, width)
    return CacheGroup(memory, cells, s.streams, size)


def _compressed(m: Compressed, s: Settings, key: DType, padding: Padding) -> CacheGroup:
    """DeepSeek-V4. Every sequence has its own stream, even in a unified cache. llama-kv-cache-dsv4.cpp."""
    window = s.cells if s.swa_full else round_up(minimum(s.cells, m.window + s.effective_ubatch), 256)
    size = padded(key, m.key, window * s.slots, padding.align, padding.columns)
    if m.ratio:
        cells = round_up(maximum(1, ceil_div(s.cells, m.ratio)), 256)
        for width in (m.key, m.indexer) if m.indexer else (m.key,):
            size = size + padded(key, width, cells * s.slots, padding.align, padding.columns)
    return CacheGroup(m, window, s.slots, size * len(m.layers))


def _widest(model: Model) -> int | None:
    """Widest values of any attention layer. llama-hparams.cpp, n_embd_v_gqa_max."""
    return max((m.value for m in model.memory if isinstance(m, Attention)), default=None)


def _divisible(model: Model, key: DType, value: DType) -> None:
    """Raises BadSetting where llama.cpp refuses: a head must hold whole blocks. llama_init_from_model."""
    for m in model.memory:
        pairs: tuple[tuple[DType, int], ...] = ()
        match m:
            case Attention():
                pairs = ((key, m.key_head), (value, m.value_head))
            case Latent() | Indexer() | Compressed():
                pairs = ((key, m.key),)
        for kind, width in pairs:
            if width % kind.block:
                raise BadSetting(
                    "A {type} cache needs heads of a multiple of {block} values; {name} has {width}.",
                    type=kind.name.lower(),
                    block=kind.block,
                    name=model.name,
                    width=width,
                    mend="Use f16 for the cache.",
                )
