"""GLM-5.3-Flash: Kimi delta attention; in every fourth layer latent attention with an indexer; four residual streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Graph, Latent, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("glm5-next",)
MODEL_TYPES = {"glm5_next": "glm5-next", "glm5_next_text": "glm5-next"}
_DEFAULTS: Mapping[str, Any] = {
    "num_hidden_layers": 45,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "moe_intermediate_size": 2048,
    "num_attention_heads": 64,
    "vocab_size": 154880,
    "max_position_embeddings": 1048576,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 0,
    "qk_nope_head_dim": 256,
    "v_head_dim": 256,
    "n_routed_experts": 288,
    "num_experts_per_tok": 8,
    "n_shared_experts": 1,
    "first_k_dense_replace": 3,
    "index_topk": 2048,
    "index_head_dim": 128,
    "index_n_heads": 32,
    "index_kpool": 16,
    "linear_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "hc_mult": 4,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"glm5_next": _DEFAULTS, "glm5_next_text": _DEFAULTS}
"""What a config.json may leave out. Source: transformers 5.24, Glm5NextTextConfig."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/glm5-next.cpp.

    Latent attention without rotary part where a block has a key-value head, and an indexer's key there.
    """
    full, states = layers.split(layers.kv_heads(m), layers.loaded(m))
    heads = next((h for h in layers.heads(m) if h), 0)
    if not heads:
        raise m.bad("attention.head_count", heads)
    rank, key = m.positive("attention.kv_lora_rank"), m.positive("attention.key_length_mla")
    latent = Latent(full, heads, rank, 0, key, m.positive("attention.value_length_mla"))
    owners = indexed(m)
    owned = tuple(i for i in full if owners[i])
    return (latent, *(layers.indexer(m, owned) if owned else ()), layers.kda(m, states))


def indexed(m: Metadata) -> tuple[bool, ...]:
    """Return the blocks that own an indexer, if they have attention: all where the file does not say."""
    found = m.flags("attention.indexer.types")
    count = layers.loaded(m)
    return (*(found or (True,) * count)[:count], *(True,) * (m.blocks - count))


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    streams, chosen = m.number("hyper_connection.count", 1), m.number("attention.indexer.top_k", 0)
    return Graph(positions=0, mixed=False, streams=streams, selected=chosen)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    if not b.extra:
        yield from _streams(b)
    if b.kv:
        yield from _latent(b)
        if indexed(b.m)[b.i]:
            yield from _indexer(b)
    else:
        yield from b.kda((b.heads,))
        head = b.m.positive("kda.head_dim")
        for name in ("ssm_f", "ssm_g"):
            yield from (b.w(f"{name}_a", b.embedding, head), b.w(f"{name}_b", head, head * b.heads))
    yield from b.feed_forward(chosen=True)
    if b.extra:
        yield from b.prediction()


def _streams(b: Block) -> Iterator[Tensor]:
    """Return how the residual streams mix, before attention and before the feed-forward network."""
    count = b.m.positive("hyper_connection.count")
    mixed = (2 + count) * count
    for part in ("attn", "ffn"):
        yield b.w(f"hc_{part}_fn", count * b.embedding, mixed)
        yield from (b.w(f"hc_{part}_base", mixed), b.w(f"hc_{part}_scale", 3))


def _latent(b: Block) -> Iterator[Tensor]:
    """Return latent attention without a rotary part."""
    rank, low = b.m.positive("attention.kv_lora_rank"), b.m.positive("attention.q_lora_rank")
    key, value = b.m.positive("attention.key_length_mla"), b.m.positive("attention.value_length_mla")
    yield from (b.w("attn_q_a", b.embedding, low), b.w("attn_q_a_norm", low), b.w("attn_q_b", low, b.heads * key))
    yield from (b.w("attn_kv_a_mqa", b.embedding, rank), b.w("attn_kv_a_norm", rank))
    yield from (b.w("attn_k_b", key, rank, b.heads), b.w("attn_v_b", rank, value, b.heads))
    yield b.w("attn_output", b.heads * value, b.embedding)


def _indexer(b: Block) -> Iterator[Tensor]:
    """Return the small attention that selects pools of tokens."""
    heads, key = b.m.positive("attention.indexer.head_count"), b.m.positive("attention.indexer.key_length")
    yield from (b.w("indexer.k_norm", key), b.bias("indexer.k_norm", key))
    yield from (b.w("indexer.proj", b.embedding, heads), b.w("indexer.attn_k", b.embedding, key))
    yield b.w("indexer.attn_q_b", b.m.positive("attention.q_lora_rank"), heads * key)
    yield b.w("indexer.kpool_gate", b.embedding, key)
    yield b.w("indexer.kpool_ape", key, b.m.positive("attention.indexer.kpool"))


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/glm5next.py."""
    found, extra = configs.common(c) | configs.mixture(c), c.number("num_nextn_predict_layers", default=0)
    linear = c.get("linear_attn_config")
    inner = Config(linear if isinstance(linear, Mapping) else {}, c.outer)
    rank, key = c.number("kv_lora_rank"), c.number("qk_nope_head_dim") + c.number("qk_rope_head_dim")
    kinds = c.kinds() or ["linear_attention" if i % 4 != 3 else "full_attention" for i in range(c.layers)]
    shared = c.kinds("indexer_types")
    found |= {"attention.indexer.types": [kind == "full" for kind in shared]} if shared else {}
    return found | {
        "block_count": c.layers + extra,
        "nextn_predict_layers": extra,
        "attention.head_count_kv": [int(k != "linear_attention") for k in kinds[: c.layers]] + [1] * extra,
        "attention.key_length": rank,
        "attention.value_length": rank,
        "attention.key_length_mla": key,
        "attention.value_length_mla": c.number("v_head_dim"),
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": c.number("q_lora_rank"),
        "attention.indexer.head_count": c.number("index_n_heads"),
        "attention.indexer.key_length": c.number("index_head_dim"),
        "attention.indexer.top_k": c.number("index_topk"),
        "attention.indexer.kpool": c.number("index_kpool"),
        "ssm.conv_kernel": inner.number("short_conv_kernel_size", default=c.number("linear_conv_kernel_dim")),
        "kda.head_dim": inner.number("head_dim", default=c.number("linear_head_dim")),
        "hyper_connection.count": c.number("hc_mult"),
    }
