"""Latent attention as llama.cpp builds it. Source: llama.cpp b11434, src/models/deepseek2.cpp, src/llama-graph.cpp."""

from __future__ import annotations

from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Latent
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, like, matmul, reshape, rope, set_rows, view
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder, cache_of, flash, kept, read


def latent(b: Builder, x: Node, block: int, m: Latent, group: CacheGroup) -> Node:
    """Queries absorbed into the latent space, one key for all heads, and the result brought back."""
    t, tape = b.tokens, b.tape
    query = reshape(_queries(b, x, block), m.nope + m.rope, m.heads, t)
    both = matmul(b.need("attn_kv_a_mqa", block), x)
    turned = rope(view("VIEW", both, (m.rope, 1, t), m.key), b.positions)
    vector = b.norm(view("VIEW", both, (m.rank, t), m.key), "attn_kv_a_norm", block)
    head = m.nope + m.rope
    rotated = rope(view("VIEW", query, (m.rope, m.heads, t), head), b.positions)
    plain = view("PERMUTE", view("VIEW", query, (m.nope, m.heads, t), head), (m.nope, t, m.heads), head)
    absorbed = matmul(b.need("attn_k_b", block), plain)
    absorbed = view("PERMUTE", absorbed, (m.rank, m.heads, t))
    asked = Node("CONCAT", (m.key, m.heads, t), (absorbed, rotated))
    value = reshape(vector, m.rank, 1, t)
    key = Node("CONCAT", (m.key, 1, t), (value, turned))
    for node in (asked, value, key):
        tape.expand(node)
    inputs = cache_of(b, m)
    keys = kept(b, group, block, m.key, b.settings.key_type)
    tape.expand(set_rows(keys, view("VIEW", key, (m.key, t)), inputs.keys))
    found = _result(b, asked, keys, block, m)
    return matmul(b.need("attn_output", block), found)


def _queries(b: Builder, x: Node, block: int) -> Node:
    """In one step, or through a vector of low rank."""
    whole = b.weight("attn_q", block)
    if whole is not None:
        return matmul(whole, x)
    low = b.norm(matmul(b.need("attn_q_a", block), x), "attn_q_a_norm", block)
    return matmul(b.need("attn_q_b", block), low)


def _result(b: Builder, asked: Node, keys: Node, block: int, m: Latent) -> Node:
    """The values are the first part of the keys: a view that ends before the last rotated part."""
    kind, t = b.settings.key_type, b.tokens
    looked = read(b, keys, m.key, kind)
    shorter = keys.size - int(dtype(kind).row(m.rope))
    values = view("PERMUTE", view("VIEW", looked, keys.shape), keys.shape)
    values.size = values.on_gpu = shorter
    out = flash(b, asked, (looked, values), cache_of(b, m).mask, m, m.heads * m.rank)
    turned = view("PERMUTE", out, (m.rank, t, m.heads))
    back = matmul(b.need("attn_v_b", block), turned)
    whole = like("CONT", view("PERMUTE", back, (m.value_head, m.heads, t)))
    return reshape(whole, m.heads * m.value_head, t)
