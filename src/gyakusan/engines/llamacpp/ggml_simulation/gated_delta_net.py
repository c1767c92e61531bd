"""Gated delta layers, and the gated attention beside them, as llama.cpp builds them.

Source: llama.cpp b11434, src/models/qwen35moe.cpp, delta-net-base.cpp, src/llama-graph.cpp (build_rs).
"""

from __future__ import annotations

from gyakusan.core.model import Attention, Recurrent
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.ggml_simulation.graph import (
    F32,
    Node,
    copy_into,
    leaf,
    like,
    matmul,
    reshape,
    rope,
    view,
)
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder, attend, cache_of
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST


def gated(b: Builder, x: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    """Queries and a gate from one matrix; the gate weighs the result."""
    t, q = b.tokens, m.heads * m.key_head
    both = matmul(b.need("attn_q", block), x)
    key, value = matmul(b.need("attn_k", block), x), matmul(b.need("attn_v", block), x)
    query = b.norm(view("VIEW", both, (m.key_head, m.heads, t), 2 * m.key_head), "attn_q_norm", block)
    key = b.norm(reshape(key, m.key_head, m.key // m.key_head, t), "attn_k_norm", block)
    gate = Node("CONT", (q, t), (view("VIEW", both, (m.key_head, m.heads, t), 2 * m.key_head),))
    value = reshape(value, m.value_head, m.value // m.value_head, t)
    query, key = rope(query, b.positions), rope(key, b.positions)
    out = attend(b, query, key, value, block, m, group, cache_of(b, m))
    return matmul(b.need("attn_output", block), like("MUL", out, like("UNARY", gate)))


def delta(b: Builder, x: Node, block: int, m: Recurrent) -> Node:
    """Projections, a convolution over the last tokens, and the delta rule with its state."""
    slots = int(b.settings.slots)
    each, heads, width = b.tokens // slots, m.rank, m.inner // m.rank
    channels = m.inner + 2 * m.groups * m.state_size
    mixed = reshape(matmul(b.need("attn_qkv", block), x), channels, each, slots)
    z = matmul(b.need("attn_gate", block), x)
    beta, gate = _weighed(b, x, block, heads, each, slots)
    window = _window(b, mixed, block, m, channels, each)
    state = reshape(_state(b, block, m.state), width, width, heads, slots)
    kernel = b.need("ssm_conv1d", block)
    made = like("UNARY", Node("SSM_CONV", (channels, each, slots), (window, kernel)))
    query, key = (_normed(view("VIEW", made, (m.state_size, m.groups, each, slots))) for _ in range(2))
    value = view("VIEW", made, (width, heads, each, slots))
    rule = Node("GATED_DELTA_NET", (m.inner, each * slots + width * slots), (query, key, value, gate, beta, state))
    out = view("VIEW", rule, (width, heads, each, slots))
    kept = _home(b, block, m.state)
    b.tape.expand(copy_into(view("VIEW", rule, (width, width, heads, slots)), view("VIEW", kept, (m.state, slots))))
    z = reshape(z, width, heads, each, slots)
    normed = like("MUL", b.norm(out, "ssm_norm", block), like("UNARY", z))
    last = matmul(b.need("ssm_out", block), reshape(normed, m.inner, each, slots))
    return reshape(last, b.model.embedding, b.tokens)


def _normed(x: Node) -> Node:
    """build_gdn_l2_norm."""
    return like("SCALE", like("RMS_NORM", x))


def _weighed(b: Builder, x: Node, block: int, heads: int, each: int, slots: int) -> tuple[Node, Node]:
    """How much is written and how much is kept: from two matrices, or (Qwen3-Next) from the halves of one."""
    both = b.weight("ssm_ba", block)
    if both is None:
        beta = like("UNARY", reshape(matmul(b.need("ssm_beta", block), x), 1, heads, each, slots))
        alpha = reshape(matmul(b.need("ssm_alpha", block), x), heads, each, slots)
        return beta, _decay(b, alpha, block, heads, each, slots)
    mixed = reshape(matmul(both, x), 2 * heads, each, slots)
    first, second = (Node("CONT", (heads, each, slots), (view("VIEW", mixed, (heads, each, slots)),)) for _ in range(2))
    beta = reshape(like("UNARY", first), 1, heads, each, slots)
    return beta, _decay(b, second, block, heads, each, slots)


def _decay(b: Builder, alpha: Node, block: int, heads: int, each: int, slots: int) -> Node:
    bias, decay = b.weight("ssm_dt", block, "bias"), b.weights.get(f"blk.{block}.ssm_a")
    if bias is None or not decay:
        raise LookupError("ssm_dt")
    soft = like("UNARY", like("ADD", alpha, bias))
    return reshape(like("MUL", soft, decay[0]), 1, heads, each, slots)


def _home(b: Builder, block: int, width: int) -> Node:
    """A state of all slots, where its block lives: one leaf for each use, which takes no place."""
    device = b.device(b.placement.units[block] if b.settings.offload_kv else HOST)
    slots = int(b.settings.slots)
    return leaf(F32 * width * slots, home=device, shape=(width, slots))


def _state(b: Builder, block: int, width: int) -> Node:
    """States of all slots, gathered; one is cleared first. build_rs."""
    home, slots = _home(b, block, width), int(b.settings.slots)
    states = reshape(home, width, slots)
    zero = view("VIEW", states, (0,))
    cleared = Node("SCALE", (0,), (zero,), home)
    b.tape.expand(cleared)
    gathered = Node("GET_ROWS", (width, slots), (states, b.states))
    out = view("VIEW", gathered, (width, slots))
    b.tape.expand(out)
    b.tape.expand(copy_into(view("VIEW", gathered, (width, 0)), view("VIEW", home, (width, 0))))
    return out


def _window(b: Builder, mixed: Node, block: int, m: Recurrent, channels: int, each: int) -> Node:
    """The convolution's input: its last tokens and the new ones; the last of these are kept. build_conv_state."""
    slots, before = int(b.settings.slots), m.kernel - 1
    last = reshape(_state(b, block, m.convolution), before, channels, slots)
    window = Node("CONCAT", (before + each, channels, slots), (last, view("TRANSPOSE", mixed, (each, channels, slots))))
    home = _home(b, block, m.convolution)
    kept = view("VIEW", window, (before, channels, slots), before + each)
    b.tape.expand(copy_into(kept, view("VIEW", home, (m.convolution, slots))))
    return window
