"""Peaks of plain transformers: the feed-forward network, experts, attention, and the logits.

Each public function that takes a Base alone returns the bytes above the base at one step of the graph, 0 for models that do
not have it. Words: see the picture in this package's docstring. Widths are values for each token.
Source: llama.cpp b11434, src/llama-graph.cpp (build_ffn, build_moe_ffn, build_attn_mha), ggml/src/ggml-alloc.c.
"""

from __future__ import annotations

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, where
from gyakusan.core.model import Attention, Dense, Experts, Model, Recurrent
from gyakusan.engines.llamacpp.backends import F16, F32, READS_F16_CACHE
from gyakusan.engines.llamacpp.buffers.kernel_memory import attention_copies, metal_expert_lists
from gyakusan.engines.llamacpp.buffers.kv_cache import hadamard_widths, stream_cells
from gyakusan.engines.llamacpp.compute_buffer.base import Base
from gyakusan.engines.llamacpp.compute_buffer.inputs import scans_on_host


def residual_kept_past_attention(base: Base) -> Number:
    """Return the extra residual vector at the peak, 0 if there is none [B].

    One more residual vector stays allocated if the block's input is needed after attention, or if the output of attention
    takes the free blocks, so that the residual sum lies above the base.
    """
    return base.residual if base.model.graph.lifted or _residual_above_base(base) else 0


def _residual_above_base(base: Base) -> bool:
    """Return True if no free block is left for the residual sum after attention."""
    if base.on_gpu:
        return _attention_output_spans_two_free_blocks(base) or _bf16_copies_take_free_block(base)
    return _next_window_takes_free_block(base)


def _attention_layers(model: Model) -> list[Attention]:
    return [m for m in model.memory if isinstance(m, Attention)]


def _bf16_copies_take_free_block(base: Base) -> bool:
    """Return True if queries are as wide as a residual vector: f16 copies of a bf16 cache then take the free block."""
    s = base.settings
    if (
        not s.flash
        or base.model.graph.parallel
        or s.allocation_rules not in READS_F16_CACHE
        or "BF16" not in s.cache_types
    ):
        return False
    return any(_query_width(base, m) == base.model.embedding for m in _attention_layers(base.model))


def _next_window_takes_free_block(base: Base) -> bool:
    """Return True for PLaMo 2 on a CPU: the next layer's convolution window takes a free block before the network does."""
    fused = base.model.graph.query == "fused" and any(isinstance(m, Recurrent) for m in base.model.memory)
    return fused and not hadamard_widths(base.model.memory, base.settings)[0]


def _attention_output_spans_two_free_blocks(base: Base) -> bool:
    """Return True if attention's output is placed across two adjacent free blocks of a GPU.

    A GPU's free blocks are adjacent. An output between one and two residual vectors wide goes there if no smaller free
    block holds it.
    """
    graph, e = base.model.graph, base.model.embedding
    return (graph.query == "separate" and base.settings.flash) and any(
        e < m.heads * m.value_head <= 2 * e and (not graph.positions or m.heads * m.key_head > 2 * e)
        for m in _attention_layers(base.model)
    )


def feed_forward(base: Base) -> Number:
    """Return the bytes of gate, up and their product, alive together; without a gate the activation works in place [B]."""
    dense = [f for f in base.model.feed_forward if isinstance(f, Dense)]
    if not dense:
        return 0
    graph, e = base.model.graph, base.model.embedding
    widest = max(_dense_width(base, f) for f in dense)
    if graph.per_layer and graph.streams > 1:
        widest += 3 * e + (0 if base.on_gpu else max(0, graph.per_layer - graph.streams * e))
    elif graph.per_layer and base.on_gpu:
        widest += max(f.width for f in dense) - min(f.width for f in dense)
    above = residual_kept_past_attention(base) + _residual_above_scan(base)
    return base.per_token(widest) + above + (parallel_block_output(base) if graph.parallel else 0)


def mamba_in_attention_layers(model: Model) -> Recurrent | None:
    """Return the Mamba-2 of layers that have attention as well (Falcon-H1), None if there is none."""
    attends = {i for m in _attention_layers(model) for i in m.layers}
    scans = (m for m in model.memory if isinstance(m, Recurrent) and m.kind == "mamba2" and attends & set(m.layers))
    return next(scans, None)


def _residual_above_scan(base: Base) -> Number:
    """Return the bytes of projection and convolution below the residual sum [B].

    Falcon-H1 on a GPU: where the outputs of scan and attention fit two free blocks, the residual sum lies above both.
    """
    m = mamba_in_attention_layers(base.model)
    if m is None or not base.on_gpu or hadamard_widths(base.model.memory, base.settings)[0]:
        return 0
    attention_width = max(a.heads * a.value_head for a in _attention_layers(base.model))
    outputs = base.per_token(m.inner + attention_width) + F32 * base.settings.slots * m.state
    channels = m.inner + 2 * m.groups * m.state_size
    below = base.per_token(m.inner + m.rank + 2 * channels + base.model.embedding)
    return where(outputs < 2 * base.residual, below, 0)


def _dense_width(base: Base, f: Dense) -> int:
    """Return the width of one network. If the residual sum lies above the base, free blocks may hold the product."""
    if not f.gated:
        return f.width
    free_blocks = base.on_gpu and not base.model.graph.lifted and _residual_above_base(base)
    return (2 if free_blocks and f.width <= 3 * base.model.embedding else 3) * f.width


def experts(base: Base) -> Number:
    """Return the bytes of gate, up and product of all used experts; then of their outputs, if they lie above these [B]."""
    mixed = [f for f in base.model.feed_forward if isinstance(f, Experts)]
    if not mixed:
        return 0
    width = max(_experts_width(f, base.model) for f in mixed)
    lists: Number = 0
    if base.settings.allocation_rules == "metal":
        lists = max(metal_expert_lists(f.count, base.settings.graph_tokens) for f in mixed)
    return base.per_token(width) + residual_kept_past_attention(base) + lists


def _experts_width(f: Experts, model: Model) -> int:
    """Return the width of one layer's experts. Outputs go where gate and up were, if they fit there."""
    up, down = f.used * f.width, f.used * model.embedding
    freed = (2 if f.gated else 0) * up
    weighed_inputs = down if model.graph.weigh_first else 0
    return weighed_inputs + freed + up + (down if down > freed else 0)


def logits(base: Base) -> Number:
    """Return the bytes of the computed logits above the base, 0 if they fit where the inputs were [B]."""
    graph = base.model.graph
    size = F32 * base.settings.graph_outputs * base.model.vocabulary
    if not graph.mixed:
        return size - base.bytes + (graph.streams + (1 if base.on_gpu else 2)) * base.residual
    if graph.per_layer and base.on_gpu and graph.streams > 1:
        return size - base.bytes + 2 * base.residual
    if graph.per_layer and not base.on_gpu:
        size = size - base.per_token(graph.per_layer)
    return where(size <= base.inputs, 0, size)


def attention(base: Base) -> Number:
    """Return the bytes of queries and of attention's output with its kernel's copies; or of the scores of all heads [B]."""
    layers = _attention_layers(base.model)
    if not layers:
        return 0
    step = _flash if base.settings.flash else _scores
    return maximum(*(step(base, m) for m in layers)) + base.per_token(_kept_besides_attention(base))


def _kept_besides_attention(base: Base) -> int:
    """Return the width of what stays allocated during attention.

    A scan on the host keeps eight residual vectors (PLaMo 2); a layer with a dense network and experts keeps the first's
    output (Gemma 4).
    """
    if base.on_gpu and scans_on_host(base.model):
        return 8 * base.model.embedding
    dense, mixed = (
        {i for f in base.model.feed_forward if isinstance(f, kind) for i in f.layers} for kind in (Dense, Experts)
    )
    if not dense & mixed:
        return 0
    narrow = max(f.width for f in base.model.feed_forward if isinstance(f, Dense))
    return base.model.embedding + (narrow if base.on_gpu else 0)


def _scores(base: Base, m: Attention) -> Number:
    cells = stream_cells(m, base.settings)
    if not base.settings.transposed:
        return base.per_token(m.heads * cells) + _below_scores(base, m, cells)
    return base.per_token(_query_width(base, m) + m.heads * cells)


def _below_scores(base: Base, m: Attention, cells: Number) -> Number:
    """Return queries, and values transposed for the product where no free block holds them [B].

    Queries and their rotation fit the free residual vector, or the second lies above it; a free block is then of both.
    cells: of a stream [tokens].
    """
    q, e = m.heads * m.key_head, base.model.embedding
    width = 0 if 2 * q <= e else _query_width(base, m)
    free = base.per_token(q) + (base.residual if q <= e else 0) if width else base.residual
    values = F16 * cells * base.settings.streams * m.value
    return base.per_token(width) + where(values > free, values, 0)


def _flash(base: Base, m: Attention) -> Number:
    """Return queries, output and copies of one layer. [B] With an f32 cache the output goes where the queries were made."""
    cast = base.settings.cache_types == ("F32", "F32") and base.model.graph.query != "gated"
    width = _query_width(base, m) + (0 if cast else m.heads * m.value_head)
    return base.per_token(width) + attention_copies(m, base.settings)


def _query_width(base: Base, m: Attention) -> int:
    """Return the width of the query tensors that are alive under the scores.

    Every operation that is not in place (rotary embedding, Hadamard rotation) allocates a second copy before the first is
    freed.
    """
    graph, q = base.model.graph, m.heads * m.key_head
    hadamard = base.settings.flash and hadamard_widths((m,), base.settings)[0] > 0
    fits = q <= base.model.embedding
    if graph.query == "gated":
        return q * (3 + hadamard - fits)
    if graph.query in ("fused", "normed") and fits:
        return 0
    return q * max((rope + hadamard) % 2 + (not fits) for rope in _rotary_embeddings(base.model, m))


def _rotary_embeddings(model: Model, m: Attention) -> tuple[bool, ...]:
    """Return whether these layers have a rotary embedding: both answers if only some of them have one.

    With `unrotated`, layers without a window have none if others have a window; else some of all layers have none.
    """
    rotary = model.graph.positions > 0
    if not model.graph.unrotated or m.window:
        return (rotary,)
    return (False,) if any(other.window for other in _attention_layers(model)) else (rotary, False)


def parallel_block_output(base: Base) -> Number:
    """Return the bytes of attention's output that wait for the parallel network's, if no free block holds them [B]."""
    if not base.settings.flash:
        return 0
    if not base.on_gpu and not base.model.graph.lifted:
        return base.residual if hadamard_widths(base.model.memory, base.settings)[0] else 0
    copies = ((m, attention_copies(m, base.settings)) for m in _attention_layers(base.model))
    return maximum(0, *(where(size > 0, base.per_token(m.heads * m.value_head) + size, 0) for m, size in copies))
