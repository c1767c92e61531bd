"""Peaks of recurrent layers: projections, the convolution's window and the states of all slots."""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, where
from gyakusan.core.model import Dense, Recurrent
from gyakusan.engines.llamacpp.compute_buffer.inputs import F32, off_device
from gyakusan.engines.llamacpp.compute_buffer.peak_dense import Work, shared_layers, waiting


def recurrent(w: Work) -> Number:
    """Projections, convolution and states of a recurrent layer. [B]"""
    found = [m for m in w.model.memory if isinstance(m, Recurrent) and m.kind in KINDS]
    away = off_device(w.model) if w.cuda else ()
    size = maximum(0, *(_beside_host(w, m) if m in away else KINDS[m.kind](w, m) for m in found))
    return size + waiting(w) if w.cuda and shared_layers(w.model) else size


def _states(w: Work, m: Recurrent) -> tuple[Number, Number, Number]:
    """States of all slots, their convolution's window, and states of all slots but one. [B] build_rs."""
    slots = w.settings.slots
    return F32 * slots * m.state, F32 * slots * m.convolution, F32 * (slots - 1) * m.state


def _lifted(w: Work, window: Number) -> Number:
    """The layer's normed input needs a place of its own where the window took its hole."""
    one = w.wide(w.model.embedding)
    return where(window > one, one, 0)


def scan_on_host(w: Work, m: Recurrent) -> Number:
    """The host's part of such a layer: the input's vector, states, steps, the convolution's result and the scan's. [B]"""
    state, _, _ = _states(w, m)
    one, steps = w.wide(w.model.embedding), w.wide(m.rank + 2 * m.state_size)
    before = where(state + steps <= one, one, where(state <= one, steps + state, one + state))
    return one + before + 2 * w.wide(m.inner) + state


def _beside_host(w: Work, m: Recurrent) -> Number:
    """A GPU that waits for such scans holds their inputs and outputs beside everything else. [B]"""
    state, _, rest = _states(w, m)
    one = w.wide(w.model.embedding)
    masks = 2 * w.tokens * w.settings.cells
    network = max((f.width for f in w.model.feed_forward if isinstance(f, Dense)), default=0)
    vectors = where(masks + state >= 2 * one, 4 * one, 2 * one + state)
    return maximum(8 * one + state + rest, w.wide(3 * network) + vectors)


def mamba2(w: Work, m: Recurrent) -> Number:
    """Input projection, the window joined with its input, its result; then the scan's output, or the gated one. [B]"""
    state, window, rest = _states(w, m)
    channels = w.wide(m.inner + 2 * m.groups * m.state_size)
    hole, scan = channels + window, w.wide(m.inner) + state
    top = where(scan > hole, scan + where(rest > hole, rest, 0), w.wide(m.inner))
    return _lifted(w, window) + w.wide(m.inner + m.rank) + channels + hole + channels + top


def mamba(w: Work, m: Recurrent) -> Number:
    """Input projection (twice the inner width), steps, and the scan's output. [B]"""
    state, window, rest = _states(w, m)
    inner, scan = w.wide(m.inner), w.wide(m.inner) + state
    conv = where(m.inner <= 2 * w.model.embedding, 0, inner + window) if w.cuda else inner + window
    small = w.wide(2 * m.rank + 2 * m.state_size) if w.cuda else 0
    gated = where(window > small, inner, 0) if w.cuda else 0
    few = 3 * inner + small + conv + scan + gated
    return maximum(few, where(rest > 0, _lifted(w, window) + 3 * inner + scan + rest, 0))


def gated_delta(w: Work, m: Recurrent) -> Number:
    """Queries, keys and values, joined with their window, then convolved; the states, and the rule's output with new states. [B]

    The states lie in a hole if they fit one vector, else where the unconvolved values were, else on top of all.
    """
    state, window, _ = _states(w, m)
    one, key = w.wide(w.model.embedding), w.wide(m.groups * m.state_size)
    channels, scan = w.wide(m.inner + 2 * m.groups * m.state_size), w.wide(m.inner) + state
    beside = 2 * key - minimum(2, where(state <= one, one - state, one) // key) * key
    joined = channels + window
    lifted = where(window > one, window, 0)
    few = maximum(channels + joined, channels + beside + scan)
    apart = beside - minimum(beside, maximum(0, channels - state) // key * key)
    some = channels + joined + channels + where(scan > joined - apart, scan, 0)
    many = channels + joined + lifted + state + where(scan > joined + lifted - beside, scan, 0)
    return lifted + where(state <= one, few, where(state <= channels, some, many))


def kda(w: Work, m: Recurrent) -> Number:
    """Kimi's delta attention: three convolutions, gates, the states before and after. [B]"""
    state, window, _ = _states(w, m)
    inner = w.wide(m.inner)
    return 6 * inner + 2 * state + maximum(minimum(2 * window, 9 * inner // 16), 2 * window - inner)


def shortconv(w: Work, m: Recurrent) -> Number:
    """Three vectors of the residual width. [B]"""
    return w.wide(3 * w.model.embedding)


KINDS = {"mamba2": mamba2, "mamba": mamba, "gated_delta": gated_delta, "kda": kda, "shortconv": shortconv}
