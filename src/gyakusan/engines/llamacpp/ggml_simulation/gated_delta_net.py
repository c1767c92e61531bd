"""Gated delta layers, and the gated attention of the same models, as llama.cpp builds them.

Source: llama.cpp b11434, src/models/qwen35moe.cpp, delta-net-base.cpp, src/llama-graph.cpp (build_rs).
"""

from __future__ import annotations

from gyakusan.core.model import Attention, Recurrent
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, copy_into, like, matmul, reshape, rope, view
from gyakusan.engines.llamacpp.ggml_simulation.states import convolution_window, gathered_state, state_tensor
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder, attend, cache_inputs


def gated_attention(b: Builder, x: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    """Return attention whose output a gate weighs; queries and gate come from one matrix."""
    t, q = b.tokens, m.heads * m.key_head
    both = matmul(b.need("attn_q", block), x)
    key, value = matmul(b.need("attn_k", block), x), matmul(b.need("attn_v", block), x)
    query = b.norm(view("VIEW", both, (m.key_head, m.heads, t), 2 * m.key_head), "attn_q_norm", block)
    key = b.norm(reshape(key, m.key_head, m.key // m.key_head, t), "attn_k_norm", block)
    gate = Node("CONT", (q, t), (view("VIEW", both, (m.key_head, m.heads, t), 2 * m.key_head),))
    value = reshape(value, m.value_head, m.value // m.value_head, t)
    query, key = rope(query, b.positions), rope(key, b.positions)
    out = attend(b, query, key, value, block, m, group, cache_inputs(b, m))
    return matmul(b.need("attn_output", block), like("MUL", out, like("UNARY", gate)))


def gated_delta_net(b: Builder, x: Node, block: int, m: Recurrent) -> Node:
    """Return projections, a convolution over the last tokens, and the delta rule with its state."""
    slots = b.slots
    each, heads, width = b.tokens // slots, m.rank, m.inner // m.rank
    channels = m.inner + 2 * m.groups * m.state_size
    mixed = reshape(matmul(b.need("attn_qkv", block), x), channels, each, slots)
    z = matmul(b.need("attn_gate", block), x)
    beta, decay = _beta_and_decay(b, x, block, heads, each)
    window = convolution_window(b, mixed, block, m, channels, each)
    state = reshape(gathered_state(b, block, m.state), width, width, heads, slots)
    kernel = b.need("ssm_conv1d", block)
    convolved = like("UNARY", Node("SSM_CONV", (channels, each, slots), (window, kernel)))
    query, key = (_l2_norm(view("VIEW", convolved, (m.state_size, m.groups, each, slots))) for _ in range(2))
    value = view("VIEW", convolved, (width, heads, each, slots))
    rule = Node("GATED_DELTA_NET", (m.inner, each * slots + width * slots), (query, key, value, decay, beta, state))
    out = view("VIEW", rule, (width, heads, each, slots))
    home = state_tensor(b, block, m.state)
    b.tape.expand(copy_into(view("VIEW", rule, (width, width, heads, slots)), view("VIEW", home, (m.state, slots))))
    z = reshape(z, width, heads, each, slots)
    gated = like("MUL", b.norm(out, "ssm_norm", block), like("UNARY", z))
    projected = matmul(b.need("ssm_out", block), reshape(gated, m.inner, each, slots))
    return reshape(projected, b.model.embedding, b.tokens)


def _l2_norm(x: Node) -> Node:
    """Return build_gdn_l2_norm."""
    return like("SCALE", like("RMS_NORM", x))


def _beta_and_decay(b: Builder, x: Node, block: int, heads: int, each: int) -> tuple[Node, Node]:
    """Return how much is written and how much is kept: from two matrices, or (Qwen3-Next) from the halves of one."""
    shape = (heads, each, b.slots)
    both = b.weight("ssm_ba", block)
    if both is None:
        beta = like("UNARY", reshape(matmul(b.need("ssm_beta", block), x), 1, *shape))
        return beta, _decay(b, reshape(matmul(b.need("ssm_alpha", block), x), *shape), block)
    mixed = reshape(matmul(both, x), 2 * heads, each, b.slots)
    first, second = (Node("CONT", shape, (view("VIEW", mixed, shape),)) for _ in range(2))
    return reshape(like("UNARY", first), 1, *shape), _decay(b, second, block)


def _decay(b: Builder, alpha: Node, block: int) -> Node:
    decay = b.bare("ssm_a", block)
    soft = like("UNARY", like("ADD", alpha, b.need("ssm_dt", block, "bias")))
    return reshape(like("MUL", soft, decay), 1, *alpha.shape)
