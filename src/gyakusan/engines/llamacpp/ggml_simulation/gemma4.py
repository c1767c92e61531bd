"""A block of Gemma 4 without per-layer embeddings: a network beside the experts, values that may be the keys.

Source: llama.cpp b11434, src/models/gemma4.cpp.
"""

from __future__ import annotations

from gyakusan.core.model import Attention, Experts
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, like, matmul, reshape, rope
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder, attend, cache_of, experts, network


def block4(b: Builder, stream: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    """One block: attention, then the networks, each normed before it is added; the sum is scaled."""
    out = b.norm(_attention(b, b.norm(stream, "attn_norm", block), block, m, group), "post_attention_norm", block)
    middle = like("ADD", out, stream)
    made = b.norm(_networks(b, middle, block), "post_ffw_norm", block)
    total = like("ADD", made, middle)
    scale = b.weight("layer_output_scale", block)
    return total if scale is None else like("MUL", total, scale)


def _attention(b: Builder, x: Node, block: int, m: Attention, group: CacheGroup) -> Node:
    t, factor = b.tokens, b.factors(block) if m.window is None else None
    query = b.norm(reshape(matmul(b.need("attn_q", block), x), m.key_head, m.heads, t), "attn_q_norm", block)
    query = rope(query, b.positions, factor)
    made = matmul(b.need("attn_k", block), x)
    own = b.weight("attn_v", block)
    value = reshape(made if own is None else matmul(own, x), m.value_head, m.value // m.value_head, t)
    key = b.norm(reshape(made, m.key_head, m.key // m.key_head, t), "attn_k_norm", block)
    value, key = like("RMS_NORM", value), rope(key, b.positions, factor)
    out = attend(b, query, key, value, block, m, group, cache_of(b, m))
    return matmul(b.need("attn_output", block), out)


def _networks(b: Builder, middle: Node, block: int) -> Node:
    mixed = next((f for f in b.model.feed_forward if isinstance(f, Experts) and block in f.layers), None)
    plain = network(b, b.norm(middle, "ffn_norm", block), block)
    if mixed is None:
        return plain
    first = b.norm(plain, "post_ffw_norm_1", block)
    entry = b.norm(middle, "pre_ffw_norm_2", block)
    scale = b.weight("ffn_gate_inp", block, "scale")
    looked = like("SCALE", like("RMS_NORM", middle))
    scores = matmul(b.need("ffn_gate_inp", block), looked if scale is None else like("MUL", looked, scale))
    second = b.norm(experts(b, entry, block, mixed.count, mixed.used, scores), "post_ffw_norm_2", block)
    return like("ADD", first, second)
