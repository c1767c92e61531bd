"""Kimi Linear and Kimi K3: Kimi delta attention, and latent attention in every fourth block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Experts, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("kimi-linear", "kimi-k3")
MODEL_TYPES = {"kimi_linear": "kimi-linear", "kimi_k3": "kimi-k3"}
"""Kimi K3 is no name of llama.cpp's: it does not know the model. Its experts' latent projections are not listed."""
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "kimi_linear": {
        "num_hidden_layers": 27,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_attention_heads": 32,
        "vocab_size": 163840,
        "max_position_embeddings": 1048576,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "num_local_experts": 256,
        "num_experts_per_tok": 8,
        "n_shared_experts": 1,
        "moe_intermediate_size": 1024,
        "first_k_dense_replace": 1,
    }
}
"""What a config.json may leave out. Source: transformers 5.23, KimiLinearConfig."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Latent attention where a block has a key-value head. Source: src/models/kimi-linear.cpp.
    """
    full, states = layers.split(layers.kv_heads(m), layers.loaded(m))
    return (*layers.latent_or_full(m, full), layers.kda(m, states))


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(positions=0)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    if b.kv:
        yield from b.latent()
    else:
        yield from b.kda((1, b.heads, 1, 1))
        head = b.m.positive("kda.head_dim")
        for name in ("ssm_f", "ssm_g"):
            yield b.w(f"{name}_a", b.embedding, head)
            yield b.w(f"{name}_b", head, head * b.heads)
    low = b.m.number("expert_hidden_length", 0)
    yield from _latent_experts(b, low) if low and isinstance(b.ffn, Experts) else b.feed_forward(chosen=True)


def _latent_experts(b: Block, low: int) -> Iterator[Tensor]:
    """Kimi K3: experts work on a narrower copy of the stream, `low` values wide. Its projections are not listed."""
    for t in b.feed_forward(chosen=True):
        wide = "_exps" in t.name
        yield Tensor(t.name, tuple(low if n == b.embedding else n for n in t.shape), t.type) if wide else t


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Layers are counted from 1 in linear_attn_config. Source: conversion/kimi_linear.py.
    """
    found, linear = configs.common(c) | configs.mixture(c), c.get("linear_attn_config")
    if not isinstance(linear, Mapping):
        raise c.bad("linear_attn_config", linear)
    inner = Config(linear, c.outer)
    full = set(inner.numbers("full_attn_layers") or ())
    third = {"general.architecture": "kimi-k3"} if c.outer.get("model_type") == "kimi_k3" else {}
    rank, rope, nope = c.number("kv_lora_rank"), c.number("qk_rope_head_dim"), c.number("qk_nope_head_dim")
    return (
        found
        | third
        | {
            "attention.head_count_kv": [1 if i + 1 in full else 0 for i in range(c.layers)],
            "attention.key_length": rank + rope,
            "attention.value_length": rank,
            "attention.key_length_mla": nope + rope,
            "attention.value_length_mla": c.number("v_head_dim"),
            "attention.kv_lora_rank": rank,
            "rope.dimension_count": rope,
            "ssm.conv_kernel": inner.number("short_conv_kernel_size"),
            "kda.head_dim": inner.number("head_dim"),
            "expert_hidden_length": c.number("routed_expert_hidden_size", default=0),
        }
    )
