"""Ling 3.0: Kimi delta attention without low-rank parts, and gated latent attention in every sixth block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import LIMIT, Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("bailingmoe3",)
MODEL_TYPES = {"bailing_hybrid": "bailingmoe3"}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "bailing_hybrid": {
        "num_hidden_layers": 42,
        "hidden_size": 2560,
        "intermediate_size": 6144,
        "num_attention_heads": 32,
        "head_dim": 128,
        "vocab_size": 157184,
        "max_position_embeddings": 262144,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "num_local_experts": 512,
        "num_experts_per_tok": 8,
        "n_shared_experts": 1,
        "moe_intermediate_size": 768,
        "first_k_dense_replace": 2,
        "layer_group_size": 6,
        "short_conv_kernel_size": 4,
        "kda_lower_bound": -5.0,
    }
}
"""What a config.json may leave out. Source: transformers 5.23, BailingHybridConfig. Not its prediction block: the
converter writes one only where the config names it."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    A prediction block has a cache although it is not loaded: its layer filter is null. Source: llama-model.cpp.
    """
    kvs, count = layers.kv_heads(m), layers.loaded(m)
    full = [i for i in range(m.blocks) if kvs[i]]
    return (*layers.latent_or_full(m, full), layers.kda(m, (i for i in range(count) if not kvs[i])))


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    if b.kv:
        yield from b.latent()
        yield b.w("attn_gate", b.embedding, b.heads)
    else:
        yield from b.kda((1, b.heads))
        inner = b.m.positive("kda.head_dim") * b.heads
        yield from (b.w("ssm_f_a", b.embedding, inner), b.w("ssm_g_a", b.embedding, inner))
    yield from b.feed_forward(chosen=True)
    if b.extra:
        yield b.w("nextn.eh_proj", 2 * b.embedding, b.embedding)
        yield from b.norms("nextn.enorm", "nextn.hnorm", "layer_output_norm")


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/bailingmoe3.py."""
    found, extra = configs.common(c) | configs.mixture(c), c.number("num_nextn_predict_layers", default=0)
    group, count = c.number("layer_group_size"), c.layers
    if not group:
        raise c.bad("layer_group_size", group)
    rank, rope, nope = c.number("kv_lora_rank"), c.number("qk_rope_head_dim"), c.number("qk_nope_head_dim")
    bound = c.get("kda_lower_bound")
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not abs(bound) < LIMIT:
        raise c.bad("kda_lower_bound", bound)
    full = [(i + 1) % group == 0 or i >= count // group * group for i in range(count + extra)]
    return found | {
        "block_count": count + extra,
        "nextn_predict_layers": extra,
        "attention.head_count_kv": [int(f) for f in full],
        "attention.key_length": rank + rope,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": c.number("v_head_dim"),
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": c.number("q_lora_rank", default=0),
        "rope.dimension_count": rope,
        "ssm.conv_kernel": c.number("short_conv_kernel_size"),
        "kda.head_dim": c.number("head_dim"),
        "kda.gate_lower_bound": float(bound),
    }
