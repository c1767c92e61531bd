"""Peaks of recurrent layers: projections, the convolution's window and the states of all slots.

Every function of one kind of layer takes the base and the layers, and returns the bytes above the base. [B]
Source: llama.cpp b11434, src/llama-graph.cpp (build_rs), src/models/*.cpp; ggml/src/ggml-alloc.c.
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, where
from gyakusan.core.model import Dense, Recurrent
from gyakusan.engines.llamacpp.backends import F16, F32
from gyakusan.engines.llamacpp.compute_buffer.base import Base
from gyakusan.engines.llamacpp.compute_buffer.inputs import scans_on_host
from gyakusan.engines.llamacpp.compute_buffer.peak_dense import mamba_in_attention_layers, parallel_block_output


def recurrent(base: Base) -> Number:
    """Return the bytes of projections, convolution and states of a recurrent layer, 0 if there is none [B]."""
    layers = [m for m in base.model.memory if isinstance(m, Recurrent) and m.kind in PEAK_OF_KIND]
    on_host = scans_on_host(base.model) if base.on_gpu else ()
    peaks = (_gpu_during_scan_on_host(base, m) if m in on_host else PEAK_OF_KIND[m.kind](base, m) for m in layers)
    size = maximum(0, *peaks)
    return size + parallel_block_output(base) if base.on_gpu and mamba_in_attention_layers(base.model) else size


def _states(base: Base, m: Recurrent) -> tuple[Number, Number, Number]:
    """Return the states of all slots, their convolution windows, and the states of all slots except one. [B] build_rs."""
    slots = base.settings.slots
    return F32 * slots * m.state, F32 * slots * m.convolution, F32 * (slots - 1) * m.state


def _input_above_base(base: Base, window: Number) -> Number:
    """Return the layer's normed input, which lies above the base if the window took its free block [B]."""
    return where(window > base.residual, base.residual, 0)


def scan_on_host(base: Base, m: Recurrent) -> Number:
    """Return the host's part of a scan that CUDA cannot do: input, states, steps, convolution and output [B]."""
    state, _, _ = _states(base, m)
    one, steps = base.residual, base.per_token(m.rank + 2 * m.state_size)
    before = where(state + steps <= one, one, where(state <= one, steps + state, one + state))
    return one + before + 2 * base.per_token(m.inner) + state


def _gpu_during_scan_on_host(base: Base, m: Recurrent) -> Number:
    """Return what a GPU holds while such a scan runs on the host: the scan's inputs and outputs besides all else [B]."""
    state, _, other_states = _states(base, m)
    one = base.residual
    masks = F16 * base.settings.graph_tokens * base.settings.cells
    network = max((f.width for f in base.model.feed_forward if isinstance(f, Dense)), default=0)
    vectors = where(masks + state >= 2 * one, 4 * one, 2 * one + state)
    return maximum(8 * one + state + other_states, base.per_token(3 * network) + vectors)


def mamba2(base: Base, m: Recurrent) -> Number:
    """Return input projection, the window joined with its input, the convolution; then the scan's or the gated output [B]."""
    state, window, other_states = _states(base, m)
    channels = base.per_token(m.inner + 2 * m.groups * m.state_size)
    free_block, scan = channels + window, base.per_token(m.inner) + state
    top = where(scan > free_block, scan + where(other_states > free_block, other_states, 0), base.per_token(m.inner))
    below = _input_above_base(base, window) + base.per_token(m.inner + m.rank)
    return below + channels + free_block + channels + top


def mamba(base: Base, m: Recurrent) -> Number:
    """Return input projection (twice the inner width), steps, convolution and the scan's output [B]."""
    state, window, other_states = _states(base, m)
    inner, scan = base.per_token(m.inner), base.per_token(m.inner) + state
    convolution = inner + window
    if base.on_gpu and m.inner <= 2 * base.model.embedding:
        convolution = 0
    steps = base.per_token(2 * m.rank + 2 * m.state_size) if base.on_gpu else 0
    gated = where(window > steps, inner, 0) if base.on_gpu else 0
    one_slot = 3 * inner + steps + convolution + scan + gated
    many_slots = _input_above_base(base, window) + 3 * inner + scan + other_states
    return maximum(one_slot, where(other_states > 0, many_slots, 0))


def gated_delta(base: Base, m: Recurrent) -> Number:
    """Return queries, keys and values joined with their window, the convolution, the states and the rule's output [B].

    Where ggml's best-fit allocator puts the states: in a free block if they are at most one residual vector; else in the
    block that the convolution's input freed; else at the end of the buffer.
    """
    state, window, _ = _states(base, m)
    one, key = base.residual, base.per_token(m.groups * m.state_size)
    channels, output = base.per_token(m.inner + 2 * m.groups * m.state_size), base.per_token(m.inner) + state
    keys_above = 2 * key - minimum(2, where(state <= one, one - state, one) // key) * key
    joined = channels + window
    window_above = where(window > one, window, 0)
    in_free_block = maximum(channels + joined, channels + keys_above + output)
    after_freed = keys_above - minimum(keys_above, maximum(0, channels - state) // key * key)
    in_freed_input = channels + joined + channels + where(output > joined - after_freed, output, 0)
    at_end = channels + joined + window_above + state + where(output > joined + window_above - keys_above, output, 0)
    return window_above + where(state <= one, in_free_block, where(state <= channels, in_freed_input, at_end))


def kda(base: Base, m: Recurrent) -> Number:
    """Return Kimi's delta attention: three convolutions, gates, the states before and after [B]."""
    state, window, _ = _states(base, m)
    inner = base.per_token(m.inner)
    return 6 * inner + 2 * state + maximum(minimum(2 * window, 9 * inner // 16), 2 * window - inner)


def shortconv(base: Base, m: Recurrent) -> Number:
    """Return the three residual vectors of a short convolution [B]."""
    return 3 * base.residual


PEAK_OF_KIND = {"mamba2": mamba2, "mamba": mamba, "gated_delta": gated_delta, "kda": kda, "shortconv": shortconv}
"""`Recurrent.kind` -> its peak."""
