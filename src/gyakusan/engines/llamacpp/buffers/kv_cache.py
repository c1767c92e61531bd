"""What llama.cpp keeps between tokens: which cells each group of layers gets, and their bytes.

Source: llama.cpp b11434, src/llama-kv-cache*.cpp, src/llama-memory-recurrent.cpp, src/llama-model.cpp (create_memory).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gyakusan.core import cache
from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, maximum, minimum, round_up
from gyakusan.core.cache import Padding, padded
from gyakusan.core.dtypes import DType, dtype
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.engines.llamacpp.backends import PADDING
from gyakusan.engines.llamacpp.settings import STEP, Settings
from gyakusan.errors import BadSetting

HADAMARD = 64
"""Quantised caches are rotated by a Hadamard matrix of at least this width. llama-kv-cache.cpp, attn_rot_k. [values]"""


class CacheGroup(Struct, frozen=True):
    """The cache or the states of one group of equal layers. Every number may be an array.

    memory: the layers, and what they keep
    cells: tokens of one stream, 1 for a state [tokens]
    streams: separate caches or states
    bytes: of all layers together [B]
    """

    memory: Memory
    cells: Number
    streams: Number
    bytes: Number


def groups(model: Model, settings: Settings) -> tuple[CacheGroup, ...]:
    """Return the cache of each group of the model's memory. Raises BadSetting for a type that does not fit the heads."""
    key, value = dtype(settings.key_type), dtype(settings.value_type)
    _check_divisible(model, key, value)
    widest = _widest_values(model) if settings.transposed else None
    padding = PADDING[settings.allocation_rules]
    return tuple(_group(m, settings, key, value, padding, widest) for m in model.memory)


def kv_cache(model: Model, settings: Settings) -> Number:
    """Return the bytes of keys, values and indexers of all layers [B]."""
    return sum(g.bytes for g in groups(model, settings) if not isinstance(g.memory, Recurrent))


def recurrent_state(model: Model, settings: Settings) -> Number:
    """Return the bytes of the states of all recurrent layers and all sequences [B]."""
    return sum(g.bytes for g in groups(model, settings) if isinstance(g.memory, Recurrent))


def stream_cells(memory: Memory, settings: Settings) -> Number:
    """Return the cells of one stream that these layers look at [tokens]."""
    window = getattr(memory, "window", None)
    return settings.cells if window is None else settings.window_cells(window)


def compressed_cells(settings: Settings, ratio: int) -> Number:
    """Return the cells of one stream of DeepSeek-V4's compressed keys. [tokens] llama-kv-cache-dsv4.cpp."""
    return round_up(maximum(1, ceil_div(settings.cells, ratio)), STEP)


def sequence_window_cells(settings: Settings, window: int) -> Number:
    """Return the cells of DeepSeek-V4's windowed keys: one stream for each slot even in a unified cache [tokens]."""
    tokens = window + settings.effective_ubatch
    return settings.cells if settings.swa_full else round_up(minimum(settings.cells, tokens), STEP)


def hadamard_widths(group: Sequence[Memory], settings: Settings) -> tuple[int, int]:
    """Return the widths of the Hadamard matrices that rotate keys and values of one cache, 0 for none [values].

    Source: llama_kv_cache::llama_kv_cache, attn_rot_k, attn_rot_v.
    """
    rotates_keys, rotates_values = dtype(settings.key_type).quantized, dtype(settings.value_type).quantized
    heads = next((m for m in group if isinstance(m, Attention)), None) if rotates_keys or rotates_values else None
    if heads is None:
        return 0, 0
    width = heads.key_head
    key = HADAMARD if rotates_keys and width % HADAMARD == 0 else 0
    while key and width % (2 * key) == 0:
        key *= 2
    rotates_values = rotates_values and heads.value_head % HADAMARD == 0
    return key, HADAMARD if rotates_values else 0


def _group(memory: Memory, s: Settings, key: DType, value: DType, padding: Padding, widest: int | None) -> CacheGroup:
    """Return one group. widest: width that values are padded to if stored transposed (no flash attention) [values]."""
    match memory:
        case Recurrent():
            return CacheGroup(memory, 1, s.slots, cache.recurrent_state(memory, s.slots, padding))
        case Compressed():
            return _compressed(memory, s, key, padding)
        case _:
            cells = stream_cells(memory, s)
    width = widest if isinstance(memory, Attention) else None
    return CacheGroup(memory, cells, s.streams, cache.kv_cache(memory, cells * s.streams, key, value, padding, width))


def _compressed(m: Compressed, s: Settings, key: DType, padding: Padding) -> CacheGroup:
    """Return DeepSeek-V4's group: each sequence has its own stream, even in a unified cache. llama-kv-cache-dsv4.cpp."""
    window = sequence_window_cells(s, m.window)
    size = padded(key, m.key, window * s.slots, padding.align, padding.columns)
    if m.ratio:
        rows = compressed_cells(s, m.ratio) * s.slots
        for width in (m.key, m.indexer) if m.indexer else (m.key,):
            size = size + padded(key, width, rows, padding.align, padding.columns)
    return CacheGroup(m, window, s.slots, size * len(m.layers))


def _widest_values(model: Model) -> int | None:
    """Return the widest values of any attention layer. [values] llama-hparams.cpp, n_embd_v_gqa_max."""
    return max((m.value for m in model.memory if isinstance(m, Attention)), default=None)


def _check_divisible(model: Model, key: DType, value: DType) -> None:
    """Raise BadSetting where llama.cpp refuses: a head must be whole blocks of the type. llama_init_from_model."""
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
                    "A {type} cache needs a head width that is a multiple of {block}; {name} has {width}.",
                    type=kind.name.lower(), block=kind.block, name=model.name, width=width,
                    mend="Use f16 for the cache.",
                )  # fmt: skip
