"""The moments at which llama.cpp's compute buffer is largest. Each function is named after what is live then.

The allocator (ggml-alloc.c: best fit, reuse in place) keeps a base for the whole graph: the inputs and four vectors of
the residual width for each token (five on a CPU, which also owns the input's own copy). The base has holes of one such
vector; what is wider stacks up on it. So a peak is the base and the sum of the wide tensors that are live together.
Widths are values for each token, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gyakusan.core.broadcast import Number, most, where
from gyakusan.core.model import Attention, Dense, Experts, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.scratch_inputs import F32, cells, inputs, outputs, rotation, tokens
from gyakusan.engines.llamacpp.settings import Settings

VECTORS = {"cpu": 5, "cuda": 4}
"""Residual vectors in the base: input, its copy for mixed batches, the block's input and output, and the CPU's own embedding."""


@dataclass(frozen=True, slots=True)
class Work:
    """What all peaks share. tokens in the graph; base: inputs and residual vectors [B]."""

    model: Model
    settings: Settings
    tokens: Number
    base: Number

    @property
    def cuda(self) -> bool:
        """True if the GPU computes."""
        return self.settings.backend == "cuda"

    def wide(self, width: Number) -> Number:
        """Bytes of `width` values for each token. [B]"""
        return F32 * self.tokens * width


def work(model: Model, s: Settings) -> Work:
    """The base that every peak stands on."""
    t = tokens(s)
    vectors = VECTORS[s.backend] + model.graph.lifted
    return Work(model, s, t, inputs(model, s).device + F32 * t * model.embedding * vectors)


def feed_forward(w: Work) -> Number:
    """Gate, up and their product are live together; without a gate the activation works in place. [B]"""
    wide = [(3 if f.gated else 1) * f.width for f in w.model.feed_forward if isinstance(f, Dense)]
    return w.wide(max(wide, default=0)) + (_held(w) if w.model.graph.parallel else 0)


def experts(w: Work) -> Number:
    """Gate, up and product of all used experts; then their outputs, if these don't fit where gate and up were. [B]"""
    return w.wide(max((_experts(f, w.model) for f in w.model.feed_forward if isinstance(f, Experts)), default=0))


def _experts(f: Experts, model: Model) -> int:
    up, down = f.used * f.width, f.used * model.embedding
    if model.graph.weigh_first:
        return 3 * up + down + (down if down > 2 * up else 0)
    freed = (2 if f.gated else 0) * up
    return freed + up + (down if down > freed else 0)


def logits(w: Work) -> Number:
    """Logits of the tokens whose output is wanted. [B]"""
    return F32 * outputs(w.settings) * w.model.vocabulary


def attention(w: Work) -> Number:
    """Queries and the result of attention, with CUDA's f16 copies of a quantised cache; or the scores of all heads. [B]"""
    groups = [m for m in w.model.memory if isinstance(m, Attention)]
    return most(0, *(_flash(w, m) if w.settings.flash else _scores(w, m) for m in groups))


def _scores(w: Work, m: Attention) -> Number:
    return w.wide(_queries(w, m) + m.heads * cells(m, w.settings))


def _flash(w: Work, m: Attention) -> Number:
    return w.wide(_queries(w, m) + m.heads * m.value_head) + copies(w, m)


def copies(w: Work, m: Attention | Latent) -> Number:
    """f16 copies that CUDA's kernels make of a cache of another type, in the result's own buffer. [B]

    Not for one or two tokens, which the vector kernel reads as they are. ggml-cuda/fattn.cu.
    """
    s = w.settings
    if not w.cuda:
        return 0
    held = cells(m, s) * s.streams
    size = 2 * held * (m.key if s.key_type.upper() != "F16" else 0)
    size = size + 2 * held * (m.value if s.value_type.upper() != "F16" else 0)
    return where(w.tokens // s.streams <= 2, 0, size)


def _queries(w: Work, m: Attention) -> int:
    """Width of the queries below the scores: each step out of place puts them beside the last, then the first is free."""
    graph, q = w.model.graph, m.heads * m.key_head
    if graph.query == "gated":
        return 2 * q + (2 * q if w.settings.flash and rotation(w.model, w.settings)[0] else q)
    fits = q <= w.model.embedding
    if graph.query in ("fused", "normed") and fits:
        return 0
    steps = bool(graph.positions) + (w.settings.flash and rotation(w.model, w.settings)[0] > 0)
    odd = {0: 0, 1: 1, 2: 0}[steps]
    if graph.unrotated and fits:
        odd = 1
    return q * (odd if fits else odd + 1)


def _held(w: Work) -> Number:
    """Result of attention that waits for the feed-forward network beside it."""
    groups = [m for m in w.model.memory if isinstance(m, Attention)]
    if not w.settings.flash:
        return 0
    waits = [where(copies(w, m) > 0, w.wide(m.heads * m.value_head) + copies(w, m), 0) for m in groups]
    return most(0, *waits)


def latent(w: Work) -> Number:
    """Queries, their part absorbed into the latent space, and both joined; then the copy of a quantised cache, or scores. [B]"""
    return most(0, *(_latent(w, m) for m in w.model.memory if isinstance(m, Latent)))


def _latent(w: Work, m: Latent) -> Number:
    s, e = w.settings, w.model.embedding
    rotated = m.heads * m.rope if m.heads * m.rope > e else 0
    freed = m.heads * (m.nope + m.rope + m.rank) + rotated
    joined = m.heads * m.key
    if s.flash:
        extra = copies(w, m)
        return w.wide(freed + joined) + where(extra > 0, w.wide(m.heads * m.rank) + extra, 0)
    held = 2 * cells(m, s) * s.streams * m.rank
    return w.wide(freed + joined + m.heads * cells(m, s)) + where(held > w.wide(freed), held, 0)


def recurrent(w: Work) -> Number:
    """Projections, convolution and states of a recurrent layer. [B]"""
    return most(0, *(_recurrent(w, m) for m in w.model.memory if isinstance(m, Recurrent)))


def _recurrent(w: Work, m: Recurrent) -> Number:
    slots, e = w.settings.slots, w.model.embedding
    held, waits = F32 * slots * m.state, F32 * slots * m.convolution
    rest = F32 * (slots - 1) * m.state
    lifted = where(waits > w.wide(e), w.wide(e), 0)
    channels = m.inner + 2 * m.groups * m.state_size
    if m.kind == "mamba2":
        project, hole = w.wide(m.inner + channels + m.rank), w.wide(channels) + waits
        scan = w.wide(m.inner) + held
        top = where(scan > hole, scan + where(rest > hole, rest, 0), w.wide(m.inner))
        return lifted + project + hole + w.wide(channels) + top
    if m.kind == "mamba":
        top = w.wide(m.inner) + held + where(slots > 1, rest, 0)
        conv = 0 if w.cuda and m.inner <= 2 * e else w.wide(m.inner) + waits
        small = w.wide(m.rank + 2 * m.state_size) + w.wide(m.rank) if w.cuda else 0
        large = lifted + w.wide(3 * m.inner) + top
        return where(rest > 0, most(large, w.wide(3 * m.inner) + w.wide(m.inner) + held + conv), w.wide(3 * m.inner) + small + conv + w.wide(m.inner) + held)
    if m.kind == "gated_delta":
        below = 2 * w.wide(channels) + waits + where(waits > w.wide(e), waits, 0)
        scan = w.wide(m.inner) + held
        return below + held + where(scan > below - w.wide(channels), scan, 0)
    if m.kind == "kda":
        return w.wide(8 * m.inner) + 2 * waits // 3 + 2 * held
    return w.wide(3 * e)


PEAKS: tuple[Callable[[Work], Number], ...] = (feed_forward, experts, attention, latent, recurrent, logits)
