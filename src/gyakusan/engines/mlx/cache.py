"""Caches of MLX-LM, exactly as they count themselves (`nbytes`).

Source: mlx-lm 0.32.2, mlx_lm/models/cache.py (KVCache, RotatingKVCache, ChunkedKVCache, QuantizedKVCache, ArraysCache).
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, round_up, where
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.engines.mlx import families
from gyakusan.engines.mlx.settings import STEP, Settings

BF16, F32 = 2, 4
HALF_STATES = frozenset({"mamba", "shortconv", "compressor"})
"""States in the model's own type. All others sum in f32: ssm.py, gated_delta.py."""


class Held(Struct, frozen=True):
    """The cache of one group of layers, for one request.

    memory: the layers
    cells: tokens stored while the output is generated, prompt included [tokens]
    prompt: size after the prompt [B]
    answer: size while the output is generated [B]
    peak: largest size [B]
    """

    memory: Memory
    cells: Number
    prompt: Number
    answer: Number
    peak: Number

    @property
    def one(self) -> Number:
        """Return the bytes of one layer [B]."""
        return self.peak // len(self.memory.layers)


def groups(model: Model, settings: Settings) -> tuple[Held, ...]:
    """Return one entry for each group of layers, for one request that fills the whole context. Numbers broadcast."""
    chunked = model.architecture in families.CHUNKED
    chosen = replace(settings, kv_bits=None) if model.architecture in families.LISTED else settings
    return tuple(_held(m, chosen, chunked) for m in families.memory(model))


def _held(memory: Memory, s: Settings, chunked: bool) -> Held:
    if isinstance(memory, Recurrent):
        size = len(memory.layers) * state(memory)
        return Held(memory, 1, size, size, size)
    window = getattr(memory, "window", None)
    row = len(memory.layers) * _row(memory, s, plain=window is not None)
    if window is None:
        before, after = round_up(s.context - 1, STEP), round_up(s.context, STEP)
        return Held(memory, after, before * row, after * row, after * row)
    if chunked:
        limit = window + round_up(s.prefill_step_size, STEP)
        before, after = minimum(round_up(s.context - 1, STEP), limit), minimum(round_up(s.context, STEP), limit)
        return Held(memory, after, before * row, after * row, after * row)
    last, peak, answer = window_cells(s.context, window, s.prefill_step_size)
    return Held(memory, answer, last * row, answer * row, maximum(peak, answer) * row)


def window_cells(tokens: Number, window: int, step: int) -> tuple[Number, Number, Number]:
    """Return the tokens of a window layer: after the prompt, at most while it is read, and during the output [tokens].

    tokens: prompt and one output token. A chunk of n tokens is put behind the window - 1 tokens before it; a single token
    goes in place, where the cache has grown to at most the window. RotatingKVCache._update_concat, _update_in_place
    """
    prompt = tokens - 1
    whole, rest = prompt // step, prompt % step
    single = minimum(window, whole * step + STEP)
    full = where(whole > 0, minimum((whole - 1) * step, window - 1) + step, 0)
    part = where(rest == 1, single, where(rest > 0, minimum(whole * step, window - 1) + rest, 0))
    last = where(rest > 0, part, full)
    return last, maximum(full, part), minimum(window, prompt + STEP)


def state(memory: Recurrent) -> int:
    """Return the bytes of one layer's states of one request: the convolution's in bf16, the other in f32. ArraysCache [B]."""
    return memory.convolution * BF16 + memory.state * (BF16 if memory.kind in HALF_STATES else F32)


def _row(memory: Memory, s: Settings, plain: bool) -> Number:
    """Return the bytes of one token in one layer. plain: a kind of cache that is never quantised [B]."""
    assert not isinstance(memory, Recurrent)
    match memory:
        case Compressed():
            values = memory.key
        case _:
            values = memory.key + memory.value
    if s.kv_bits is None or plain or isinstance(memory, Indexer | Compressed):
        return values * BF16
    quantised = values * s.kv_bits // 8 + values // s.kv_group_size * 2 * BF16
    return where(s.context > s.quantized_kv_start, quantised, values * BF16)


def uneven(model: Model, settings: Settings) -> Memory | None:
    """Return the layers whose cache cannot be quantised, so that the server fails: None if all can.

    Window layers (RotatingKVCache.to_quantized is not implemented), latent ones (their file takes no quantised keys) and
    heads that are no multiple of the group. Caches in a list, and states, stay as they are.
    """
    if model.architecture in families.LISTED:
        return None
    for m in families.memory(model):
        if isinstance(m, Latent) or (
            getattr(m, "window", None) is not None and model.architecture not in families.CHUNKED
        ):
            return m
        if isinstance(m, Attention) and (m.key_head % settings.kv_group_size or m.value_head % settings.kv_group_size):
            return m
    return None
