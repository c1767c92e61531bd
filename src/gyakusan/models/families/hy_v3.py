"""Tencent Hy3: full attention with normed queries and keys, experts after one dense block, a prediction block at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.models.families import configs
from gyakusan.models.families.configs import Config
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("hy_v3",)
MODEL_TYPES = {"hy_v3": "hy_v3"}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "hy_v3": {
        "num_hidden_layers": 80,
        "hidden_size": 4096,
        "intermediate_size": 13312,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 120832,
        "max_position_embeddings": 131072,
        "num_experts": 192,
        "num_experts_per_tok": 8,
        "num_shared_experts": 1,
        "moe_intermediate_size": 1536,
        "first_k_dense_replace": 1,
    }
}
"""What a config.json may leave out. Source: transformers 5.24, HYV3Config (whose mlp_layer_types is one dense layer, then
experts)."""


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file. Source: src/models/hy-v3.cpp."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward(chosen=True)
    if b.extra:
        yield from b.prediction()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Prediction layers count as blocks. Source: conversion/hunyuan.py."""
    found, extra = configs.common(c) | configs.mixture(c), c.number("num_nextn_predict_layers", default=0)
    return found | {"block_count": c.layers + extra, "nextn_predict_layers": extra}
