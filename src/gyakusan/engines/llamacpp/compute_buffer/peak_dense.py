"""The moments at which llama.cpp's compute buffer is largest. Each function is named after what is live then.

The allocator (ggml-alloc.c: best fit, reuse in place) keeps a base for the whole graph: the inputs and a few vectors of
the residual width for each token. The base has holes of one such vector; what is wider stacks up on it. So a peak is the
base and the sum of the wide tensors that are live together. Widths are values for each token, sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, where
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Compressed, Dense, Experts, Latent, Model, Recurrent
from gyakusan.engines.llamacpp.backends import COPYING, metal_lists, metal_room
from gyakusan.engines.llamacpp.compute_buffer.inputs import (
    ALIGN,
    F32,
    cells,
    inputs,
    off_device,
    outputs,
    rotation,
    tokens,
)
from gyakusan.engines.llamacpp.settings import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """What all peaks share. tokens: in the graph; base: inputs and residual vectors; device: the inputs alone [B]."""

    model: Model
    settings: Settings
    tokens: Number
    device: Number
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
    device = inputs(model, s, t, ALIGN[s.backend], host=s.backend == "cpu")
    held = vectors(model, s.backend) * model.embedding + model.graph.per_layer
    return Work(model, s, t, device, device + F32 * t * held)


def vectors(model: Model, backend: str) -> int:
    """Residual vectors in the base: the input, what it was copied from for mixed batches, a block's input and output.

    A CPU owns the input's places as well. Several residual streams are kept twice. llm_graph_context::build_inp_embd.
    """
    if not model.graph.mixed:
        return 2 * model.graph.streams + 2
    own = 1 if backend == "cpu" else 0
    return (4 if model.graph.streams == 1 else model.graph.streams + 2) + own


def lift(w: Work) -> Number:
    """One more vector where the block's input is kept past attention, or where attention's result takes two holes. [B]

    A GPU's holes lie side by side: a result between one and two vectors goes there if no smaller place is free.
    """
    return w.wide(w.model.embedding) if w.model.graph.lifted or _stacked(w) else 0


def _stacked(w: Work) -> bool:
    return _takes_two(w) or _copied(w) if w.cuda else _fetches_early(w)


def _copied(w: Work) -> bool:
    """Copies of a bf16 cache lie on top of queries as wide as one vector: their place is the smallest that is free then."""
    s, e = w.settings, w.model.embedding
    groups = [m for m in w.model.memory if isinstance(m, Attention)]
    plain = s.flash and not w.model.graph.parallel and s.stores in COPYING
    return plain and "BF16" in (s.key_type.upper(), s.value_type.upper()) and any(_queries(w, m) == e for m in groups)


def _fetches_early(w: Work) -> bool:
    """PLaMo 2: the next layer's window takes a hole before the network does."""
    mixed = w.model.graph.query == "fused" and any(isinstance(m, Recurrent) for m in w.model.memory)
    return mixed and not rotation(w.model.memory, w.settings)[0]


def _takes_two(w: Work) -> bool:
    model, e = w.model, w.model.embedding
    groups = [m for m in model.memory if isinstance(m, Attention)]
    plain = model.graph.query == "separate" and w.settings.flash
    return plain and any(
        e < m.heads * m.value_head <= 2 * e and (not model.graph.positions or m.heads * m.key_head > 2 * e)
        for m in groups
    )


def feed_forward(w: Work) -> Number:
    """Gate, up and their product are live together; without a gate the activation works in place. [B]"""
    dense = [f for f in w.model.feed_forward if isinstance(f, Dense)]
    if not dense:
        return 0
    graph, e = w.model.graph, w.model.embedding
    widest = max(_network(w, f) for f in dense)
    if graph.per_layer and graph.streams > 1:
        widest += 3 * e + (0 if w.cuda else max(0, graph.per_layer - graph.streams * e))
    elif graph.per_layer and w.cuda:
        widest += max(f.width for f in dense) - min(f.width for f in dense)
    return w.wide(widest) + lift(w) + (waiting(w) if graph.parallel else 0) + _after_scan(w)


def shared_layers(model: Model) -> Recurrent | None:
    """A Mamba-2 that works beside attention in the same layers (Falcon-H1), if there is one."""
    attends = {i for m in model.memory if isinstance(m, Attention) for i in m.layers}
    found = (m for m in model.memory if isinstance(m, Recurrent) and m.kind == "mamba2" and attends & set(m.layers))
    return next(found, None)


def _after_scan(w: Work) -> Number:
    """Where its output fits two holes beside attention's, the stream ends up above projection and convolution. [B]"""
    m = shared_layers(w.model)
    if m is None or not w.cuda or rotation(w.model.memory, w.settings)[0]:
        return 0
    attends = max(a.heads * a.value_head for a in w.model.memory if isinstance(a, Attention))
    scan = w.wide(m.inner + attends) + F32 * w.settings.slots * m.state
    channels = m.inner + 2 * m.groups * m.state_size
    lifted = w.wide(m.inner + m.rank + 2 * channels + w.model.embedding)
    return where(scan < w.wide(2 * w.model.embedding), lifted, 0)


def _network(w: Work, f: Dense) -> int:
    """Where the stream lies above the base, a GPU's three holes side by side may hold the product."""
    if not f.gated:
        return f.width
    empty = w.cuda and not w.model.graph.lifted and _stacked(w) and f.width <= 3 * w.model.embedding
    return (2 if empty else 3) * f.width


def experts(w: Work) -> Number:
    """Gate, up and product of all used experts; then their outputs, if these don't fit where gate and up were. [B]"""
    mixed = [f for f in w.model.feed_forward if isinstance(f, Experts)]
    if not mixed:
        return 0
    lists = max(metal_lists(f.count, w.tokens) for f in mixed) if w.settings.stores == "metal" else 0
    return w.wide(max(_experts(f, w.model) for f in mixed)) + lift(w) + lists


def _experts(f: Experts, model: Model) -> int:
    up, down = f.used * f.width, f.used * model.embedding
    freed = (2 if f.gated else 0) * up
    first = down if model.graph.weigh_first else 0
    return first + freed + up + (down if down > freed else 0)


def logits(w: Work) -> Number:
    """Logits of the tokens whose output is wanted, unless they fit where the inputs were. [B]"""
    size = F32 * outputs(w.settings, w.tokens) * w.model.vocabulary
    graph, e = w.model.graph, w.model.embedding
    if not graph.mixed:
        return size - w.base + w.wide((graph.streams + (1 if w.cuda else 2)) * e)
    if graph.per_layer and w.cuda and graph.streams > 1:
        return size - w.base + w.wide(2 * e)
    if graph.per_layer and not w.cuda:
        size = size - w.wide(graph.per_layer)
    return where(size <= w.device, 0, size)


def attention(w: Work) -> Number:
    """Queries and the result of attention, with CUDA's f16 copies of a quantised cache; or the scores of all heads. [B]"""
    groups = [m for m in w.model.memory if isinstance(m, Attention)]
    if not groups:
        return 0
    return maximum(*(_flash(w, m) if w.settings.flash else _scores(w, m) for m in groups)) + w.wide(_beside(w))


def _beside(w: Work) -> int:
    """Vectors that wait beside attention: where a layer has both a dense network and experts (Gemma 4), or where a scan runs
    on the host (PLaMo 2)."""
    if w.cuda and off_device(w.model):
        return 8 * w.model.embedding
    kinds = [{i for f in w.model.feed_forward if isinstance(f, kind) for i in f.layers} for kind in (Dense, Experts)]
    if not kinds[0] & kinds[1]:
        return 0
    narrow = max(f.width for f in w.model.feed_forward if isinstance(f, Dense))
    return w.model.embedding + (narrow if w.cuda else 0)


def _scores(w: Work, m: Attention) -> Number:
    return w.wide(_queries(w, m) + m.heads * cells(m, w.settings))


def _flash(w: Work, m: Attention) -> Number:
    """A cache in f32 is cast to f16 first, on any backend; then the result fits where the queries were made."""
    cast = w.settings.key_type.upper() == w.settings.value_type.upper() == "F32" and w.model.graph.query != "gated"
    return w.wide(_queries(w, m) + (0 if cast else m.heads * m.value_head)) + copies(w, m)


def copies(w: Work, m: Attention | Latent) -> Number:
    """f16 copies of a cache of another type: CUDA's kernels keep them in the result's own buffer. [B]

    Not for one or two tokens of each stream, which the vector kernel reads as they are. ggml-cuda/fattn.cu.
    Metal reserves a copy of any cache, and more; Vulkan's kernels read the cache as it is: drivers.py.
    """
    s, held = w.settings, cells(m, w.settings) * w.settings.streams
    size: Number = 0
    for width, kind in ((m.key, s.key_type.upper()), (m.value, s.value_type.upper())):
        if kind == "F32" or (s.stores in COPYING and kind != "F16"):
            size = size + 2 * held * width
    size = where(w.tokens // s.streams <= 2, 0, size)
    return size + metal_room(m, w.tokens, cells(m, s), s.streams, _strides(m, s)) if s.stores == "metal" else size


def _strides(m: Attention | Latent, s: Settings) -> tuple[Number, Number]:
    """From one token's keys, and values, to the next in what attention reads. [B] A copy in f16 has its heads apart."""
    heads = ((m.key_head, m.key), (m.value_head, m.value)) if isinstance(m, Attention) else ((m.key, m.key),) * 2
    kinds = (s.key_type.upper(), s.value_type.upper())
    key, value = (2 * (head if dtype(k).quantized else row) for k, (head, row) in zip(kinds, heads, strict=True))
    return key, value


def _queries(w: Work, m: Attention) -> int:
    """Width of the queries below the scores: each step out of place puts them beside the last, then the first is free."""
    graph, q = w.model.graph, m.heads * m.key_head
    turned = w.settings.flash and rotation((m,), w.settings)[0] > 0
    fits = q <= w.model.embedding
    if graph.query == "gated":
        return q * (3 + turned - fits)
    if graph.query in ("fused", "normed") and fits:
        return 0
    return q * max((rotated + turned) % 2 + (not fits) for rotated in _rotations(w.model, m))


def _rotations(model: Model, m: Attention) -> tuple[bool, ...]:
    """Whether these layers have rotary embedding: with `unrotated` none without a window has it, or some where all are alike."""
    rotated = model.graph.positions > 0
    if not model.graph.unrotated or m.window:
        return (rotated,)
    windows = any(isinstance(other, Attention) and other.window for other in model.memory)
    return (False,) if windows else (rotated, False)


def waiting(w: Work) -> Number:
    """A result of attention that is too wide for a hole waits for the feed-forward network beside it. [B]"""
    if not w.settings.flash:
        return 0
    groups = [m for m in w.model.memory if isinstance(m, Attention)]
    if not w.cuda and not w.model.graph.lifted:
        return w.wide(w.model.embedding) if rotation(w.model.memory, w.settings)[0] else 0
    waits = [where(copies(w, m) > 0, w.wide(m.heads * m.value_head) + copies(w, m), 0) for m in groups]
    return maximum(0, *waits)


def compressed(w: Work) -> Number:
    """DeepSeek-V4: queries before and after their norm; then the joined cache, its mask and the result. [B]"""
    return maximum(0, *(_compressed(w, m) for m in w.model.memory if isinstance(m, Compressed)))


def _compressed(w: Work, m: Compressed) -> Number:
    from gyakusan.engines.llamacpp.compute_buffer.peak_mla_sparse import joined_cache

    return joined_cache(w, m)
