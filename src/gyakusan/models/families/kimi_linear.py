"""Kimi Linear: Kimi delta attention, and latent attention in every fourth block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("kimi-linear",)
MODEL_TYPES = {"kimi_linear": "kimi-linear"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Latent attention where a block has a key-value head. Source: src/models/kimi-linear.cpp."""
    full, states = layers.split(layers.kv_heads(m), layers.loaded(m))
    return (*layers.latent_or_full(m, full), layers.kda(m, states))


def graph(m: Metadata) -> Graph:
    """How the blocks are wired."""
    return Graph(positions=0)


def block(b: Block) -> Iterator[Tensor]:
    """One block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    if b.kv:
        yield from b.latent()
    else:
        yield from b.kda((1, b.heads, 1, 1))
        head = b.m.positive("kda.head_dim")
        for name in ("ssm_f", "ssm_g"):
            yield b.w(f"{name}_a", b.embedding, head)
            yield b.w(f"{name}_b", head, head * b.heads)
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Layers are counted from 1 in linear_attn_config. Source: conversion/kimi_linear.py."""
    found, linear = configs.common(c) | configs.mixture(c), c.get("linear_attn_config")
    if not isinstance(linear, Mapping):
        raise c.bad("linear_attn_config", linear)
    inner = Config(linear, c.outer)
    full = set(inner.numbers("full_attn_layers") or ())
    rank, rope, nope = c.number("kv_lora_rank"), c.number("qk_rope_head_dim"), c.number("qk_nope_head_dim")
    return found | {
        "attention.head_count_kv": [1 if i + 1 in full else 0 for i in range(c.layers)],
        "attention.key_length": rank + rope,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": c.number("v_head_dim"),
        "attention.kv_lora_rank": rank,
        "rope.dimension_count": rope,
        "ssm.conv_kernel": inner.number("short_conv_kernel_size"),
        "kda.head_dim": inner.number("head_dim"),
    }
