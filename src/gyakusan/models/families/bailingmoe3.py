"""Ling 3.0: Kimi delta attention without low-rank parts, and gated latent attention in every sixth block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("bailingmoe3",)
MODEL_TYPES = {"bailing_hybrid": "bailingmoe3"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """A prediction block has a cache although it is not loaded: its layer filter is null. Source: llama-model.cpp."""
    kvs, count = layers.kv_heads(m), layers.loaded(m)
    full = [i for i in range(m.blocks) if kvs[i]]
    return (*layers.latent_or_full(m, full), layers.kda(m, (i for i in range(count) if not kvs[i])))


def block(b: Block) -> Iterator[Tensor]:
    """One block of the unquantised file."""
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
    """Source: conversion/bailingmoe3.py."""
    found, extra = configs.common(c) | configs.mixture(c), c.number("num_nextn_predict_layers", default=0)
    group, count = c.number("layer_group_size"), c.layers
    if not group:
        raise c.bad("layer_group_size", group)
    rank, rope, nope = c.number("kv_lora_rank"), c.number("qk_rope_head_dim"), c.number("qk_nope_head_dim")
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
    }
