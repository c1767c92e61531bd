"""A block of Gemma 4 without per-layer embeddings: a dense network and experts, values that may be the keys.

Source: llama.cpp b11434, src/models/gemma4.cpp.
"""

from __future__ import annotations

from gyakusan.core.model import Attention
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, like, matmul, reshape, rope
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import (
    Builder,
    attend,
    cache_inputs,
    experts,
    experts_of,
    network,
)


def gemma4_block(b: Builder, residual: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    """Return one block: attention, then the networks, each normed before it is added; the sum is scaled."""
    attended = _attention(b, b.norm(residual, "attn_norm", block), block, m, group)
    middle = like("ADD", b.norm(attended, "post_attention_norm", block), residual)
    total = like("ADD", b.norm(_networks(b, middle, block), "post_ffw_norm", block), middle)
    scale = b.weight("layer_output_scale", block)
    return total if scale is None else like("MUL", total, scale)


def _attention(b: Builder, x: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    t, factors = b.tokens, b.rope_factors(block) if m.window is None else None
    query = b.norm(reshape(matmul(b.need("attn_q", block), x), m.key_head, m.heads, t), "attn_q_norm", block)
    query = rope(query, b.positions, factors)
    keys = matmul(b.need("attn_k", block), x)
    value_matrix = b.weight("attn_v", block)
    values = keys if value_matrix is None else matmul(value_matrix, x)
    value = reshape(values, m.value_head, m.value // m.value_head, t)
    key = b.norm(reshape(keys, m.key_head, m.key // m.key_head, t), "attn_k_norm", block)
    value, key = like("RMS_NORM", value), rope(key, b.positions, factors)
    out = attend(b, query, key, value, block, m, group, cache_inputs(b, m))
    return matmul(b.need("attn_output", block), out)


def _networks(b: Builder, middle: Node, block: int) -> Node:
    mixture = experts_of(b.model, block)
    dense = network(b, b.norm(middle, "ffn_norm", block), block)
    if mixture is None:
        return dense
    first = b.norm(dense, "post_ffw_norm_1", block)
    expert_input = b.norm(middle, "pre_ffw_norm_2", block)
    scale = b.weight("ffn_gate_inp", block, "scale")
    routed = like("SCALE", like("RMS_NORM", middle))
    scores = matmul(b.need("ffn_gate_inp", block), routed if scale is None else like("MUL", routed, scale))
    second = b.norm(experts(b, expert_input, block, mixture, scores), "post_ffw_norm_2", block)
    return like("ADD", first, second)
