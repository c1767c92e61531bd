"""MiniMax M3: sparse attention; the sparse layers keep an indexer key, and a value that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("minimax-m3",)
MODEL_TYPES = {"minimax_m3": "minimax-m3", "minimax_m3_text": "minimax-m3", "minimax_m3_vl": "minimax-m3"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Source: llama-model.cpp (create_memory), llama-kv-cache-msa.cpp.
    """
    lead = m.number("leading_dense_block_count", 0)
    value = layers.head_width(m, "value")
    return (*layers.attention(m, range(layers.loaded(m))), *layers.indexer(m, range(lead, m.blocks), value))


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    if b.i >= b.m.number("leading_dense_block_count", 0):
        heads, key = b.m.positive("attention.indexer.head_count"), b.m.positive("attention.indexer.key_length")
        yield b.w("indexer.q_proj", b.embedding, heads * key)
        yield b.w("indexer.k_proj", b.embedding, key)
        yield from (b.w("indexer.q_norm", key), b.w("indexer.k_norm", key))
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    dense_intermediate_size is of the leading blocks. Source: conversion/minimax.py.
    """
    found, inner = configs.common(c) | configs.mixture(c), c.get("sparse_attention_config")
    sparse = Config(inner, c.outer) if isinstance(inner, Mapping) else c
    kinds = c.numbers("moe_layer_freq") or []
    lead = next((i for i, kind in enumerate(kinds) if kind), 0)
    return found | {
        "feed_forward_length": c.number("dense_intermediate_size", "intermediate_size"),
        "expert_feed_forward_length": c.number("moe_intermediate_size", "intermediate_size"),
        "leading_dense_block_count": c.number("first_k_dense_replace", default=lead),
        "attention.indexer.head_count": sparse.number("sparse_num_index_heads", "index_n_heads"),
        "attention.indexer.key_length": sparse.number("sparse_index_dim", "index_head_dim"),
    }
