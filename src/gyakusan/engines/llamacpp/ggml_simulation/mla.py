"""Multi-head latent attention as llama.cpp builds it.

Source: llama.cpp b11434, src/models/deepseek2.cpp, src/llama-graph.cpp.
"""

from __future__ import annotations

from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Latent
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, like, matmul, reshape, rope, set_rows, view
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import (
    Builder,
    cache_inputs,
    cache_tensor,
    cache_view,
    flash,
)


def mla(b: Builder, x: Node, block: int, m: Latent, group: CacheGroup) -> Node:
    """Return queries absorbed into the latent space, one key for all heads, and the output brought back."""
    t, tape, head = b.tokens, b.tape, m.nope + m.rope
    queries = reshape(_queries(b, x, block), head, m.heads, t)
    compressed = matmul(b.need("attn_kv_a_mqa", block), x)
    key_rope = rope(view("VIEW", compressed, (m.rope, 1, t), m.key), b.positions)
    latent = b.norm(view("VIEW", compressed, (m.rank, t), m.key), "attn_kv_a_norm", block)
    query_rope = rope(view("VIEW", queries, (m.rope, m.heads, t), head), b.positions)
    query_nope = view("PERMUTE", view("VIEW", queries, (m.nope, m.heads, t), head), (m.nope, t, m.heads), head)
    absorbed = matmul(b.need("attn_k_b", block), query_nope)
    absorbed = view("PERMUTE", absorbed, (m.rank, m.heads, t))
    query = Node("CONCAT", (m.key, m.heads, t), (absorbed, query_rope))
    value = reshape(latent, m.rank, 1, t)
    key = Node("CONCAT", (m.key, 1, t), (value, key_rope))
    if b.model.graph.temperature:
        query = like("MUL", query, b.temperature)
    for node in (query, value, key):
        tape.expand(node)
    inputs = cache_inputs(b, m)
    keys = cache_tensor(b, group, block, m.key, b.settings.key_type)
    tape.expand(set_rows(keys, view("VIEW", key, (m.key, t)), inputs.keys))
    return matmul(b.need("attn_output", block), _output(b, query, keys, block, m))


def _queries(b: Builder, x: Node, block: int) -> Node:
    """Return the queries: in one step, or through a vector of low rank."""
    whole = b.weight("attn_q", block)
    if whole is not None:
        return matmul(whole, x)
    low = b.norm(matmul(b.need("attn_q_a", block), x), "attn_q_a_norm", block)
    return matmul(b.need("attn_q_b", block), low)


def _output(b: Builder, query: Node, keys: Node, block: int, m: Latent) -> Node:
    """Return attention over the latent vectors. Values are the first part of the keys: a view without the last rope part."""
    kind, t = b.settings.key_type, b.tokens
    cached = cache_view(keys, m.key, kind)
    values = view("PERMUTE", view("VIEW", cached, keys.shape), keys.shape)
    values.size = values.gpu_size = keys.size - int(dtype(kind).row(m.rope))
    out = flash(b, query, (cached, values), cache_inputs(b, m).mask, m, m.heads * m.rank)
    back = matmul(b.need("attn_v_b", block), view("PERMUTE", out, (m.rank, t, m.heads)))
    whole = like("CONT", view("PERMUTE", back, (m.value_head, m.heads, t)))
    return reshape(whole, m.heads * m.value_head, t)
