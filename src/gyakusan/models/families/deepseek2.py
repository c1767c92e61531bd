"""DeepSeek V2, V3, R1, Kimi K2, GLM-4.7-Flash, Mistral Small 4: one latent vector replaces keys and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("deepseek2", "deepseek32", "glm-dsa", "mistral4")
MODEL_TYPES = {
    "deepseek_v2": "deepseek2",
    "deepseek_v3": "deepseek2",
    "kimi_k2": "deepseek2",
    "kimi_k25": "deepseek2",
    "glm4_moe_lite": "deepseek2",
    "deepseek_v32": "deepseek32",
    "glm_moe_dsa": "glm-dsa",
    "mistral4": "mistral4",
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "glm4_moe_lite": {
        "num_hidden_layers": 47,
        "hidden_size": 2048,
        "intermediate_size": 10240,
        "num_attention_heads": 20,
        "vocab_size": 154880,
        "max_position_embeddings": 202752,
        "kv_lora_rank": 512,
        "q_lora_rank": 768,
        "qk_nope_head_dim": 192,
        "qk_rope_head_dim": 64,
        "v_head_dim": 256,
        "n_routed_experts": 64,
        "num_experts_per_tok": 4,
        "n_shared_experts": 1,
        "moe_intermediate_size": 1536,
        "first_k_dense_replace": 1,
    },
    "mistral4": {
        "num_hidden_layers": 36,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_attention_heads": 32,
        "vocab_size": 131072,
        "max_position_embeddings": 1048576,
        "kv_lora_rank": 256,
        "q_lora_rank": 1024,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "n_routed_experts": 128,
        "num_experts_per_tok": 4,
        "n_shared_experts": 1,
        "moe_intermediate_size": 2048,
        "first_k_dense_replace": 0,
    },
}
"""What a config.json may leave out. Source: transformers 5.23, Glm4MoeLiteConfig (whose mlp_layer_types is one dense
layer, then experts), Mistral4Config."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Latent attention; sparse ones (V3.2, GLM-5) keep an indexer's key as well.

    Source: src/models/deepseek2.cpp, deepseek32.cpp, glm-dsa.cpp, llama-model.cpp (create_memory).
    """
    count = layers.loaded(m)
    found = layers.latent_or_full(m, range(count))
    if m.architecture not in ("deepseek32", "glm-dsa"):
        return found
    owners = indexed(m)
    return (*found, *layers.indexer(m, (i for i in range(count) if owners[i])))


def indexed(m: Metadata) -> tuple[bool, ...]:
    """Return the blocks that own an indexer: all, but one in four since GLM-5.2; prediction blocks do. Source: glm-dsa.cpp."""
    count = layers.loaded(m)
    found = m.flags("attention.indexer.types") if m.architecture == "glm-dsa" else None
    if found is None and m.architecture == "glm-dsa" and m.number("context_length", 0) >= 2**20:
        found = tuple(i < 2 or (i - 2) % 4 == 0 for i in range(count))
    return (*(found or (True,) * count)[:count], *(True,) * (m.blocks - count))


def extra_loaded(m: Metadata) -> str:
    """Return the regular expression of tensors that are loaded although their block is not.

    The indexer's key norm of a prediction block is loaded with the rest (measured, b11434).
    """
    return r"indexer\.k_norm" if m.architecture in ("deepseek32", "glm-dsa") else ""


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(selected=m.number("attention.indexer.top_k", 0), wide_down=m.architecture == "mistral4")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.latent() if layers.has_latent(b.m) else b.attention()
    if b.m.architecture in ("deepseek32", "glm-dsa") and indexed(b.m)[b.i]:
        yield from _indexer(b)
    yield from b.feed_forward(chosen=b.m.stated("expert_bias", b.m.number("expert_gating_func", 0) == 2))
    if b.extra:
        yield from b.prediction(table=b.m.architecture != "glm-dsa")


def _indexer(b: Block) -> Iterator[Tensor]:
    """Return the small attention that selects tokens."""
    heads, key = b.m.positive("attention.indexer.head_count"), b.m.positive("attention.indexer.key_length")
    yield b.w("indexer.attn_k", b.embedding, key)
    yield b.w("indexer.attn_q_b", b.m.positive("attention.q_lora_rank"), heads * key)
    yield b.w("indexer.proj", b.embedding, heads)
    yield b.w("indexer.k_norm", key)
    yield b.bias("indexer.k_norm", key)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Absorbed form: one key-value head of rank + rope values. Source: conversion/deepseek.py.
    """
    found = configs.common(c) | configs.mixture(c)
    rank, rope, nope = c.number("kv_lora_rank"), c.number("qk_rope_head_dim"), c.number("qk_nope_head_dim")
    found |= {
        "attention.head_count_kv": 1,
        "attention.key_length": rank + rope,
        "attention.value_length": rank,
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": c.number("q_lora_rank", default=0),
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": c.number("v_head_dim"),
        "rope.dimension_count": rope,
        "gyakusan.expert_bias": c.get("topk_method") == "noaux_tc" or "expert_gating_func" in found,
    }
    return found | _sparse(c) | _prediction(c)


def _sparse(c: Config) -> dict[str, Any]:
    if c.get("index_head_dim") is None:
        return {}
    found: dict[str, Any] = {
        "attention.indexer.head_count": c.number("index_n_heads"),
        "attention.indexer.key_length": c.number("index_head_dim"),
        "attention.indexer.top_k": c.number("index_topk", default=2048),
    }
    kinds = c.kinds("indexer_types")
    return found | ({"attention.indexer.types": [kind == "full" for kind in kinds]} if kinds else {})


def _prediction(c: Config) -> dict[str, Any]:
    """DeepSeek-V3 and Kimi files are written without their prediction layers (skip_mtp)."""
    skipped = c.model_type in ("deepseek_v2", "deepseek_v3", "kimi_k2", "kimi_k25")
    extra = 0 if skipped else c.number("num_nextn_predict_layers", default=0)
    return {"nextn_predict_layers": extra, "block_count": c.layers + extra} if extra else {}
