"""Laguna: windows with more heads, every fourth layer (the first of four) is full; a gate for each head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from gyakusan.core.model import Experts, FeedForward, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("laguna",)
MODEL_TYPES = {"laguna": "laguna"}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "laguna": {
        "num_hidden_layers": 40,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_attention_heads": 48,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 100352,
        "max_position_embeddings": 131072,
        "num_experts": 256,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512,
        "first_k_dense_replace": 1,
    }
}
"""What a config.json may leave out. Source: transformers 5.23, LagunaConfig (whose mlp_layer_types is one dense layer,
then experts)."""
WINDOW = 512
"""LagunaConfig's sliding_window [tokens]. It holds only where layer_types names windows: a model may have none."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/laguna.cpp."""
    return layers.periodic(m, 4, dense_first=True)


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. One shared expert, as wide as the others where the file does not say."""
    lead = m.number("leading_dense_block_count", 0)
    found = layers.mixture(m, [i >= lead for i in range(m.blocks)])
    return tuple(structs.replace(g, shared=g.shared or g.width) if isinstance(g, Experts) else g for g in found)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield b.w("attn_gate", b.embedding, b.heads)
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Query heads may differ between layers. Source: conversion/laguna.py.
    """
    found, windows = configs.common(c) | configs.mixture(c), c.windows()
    each = c.numbers("num_attention_heads_per_layer")
    found |= {"attention.head_count": each} if each else {}
    dense = c.kinds("mlp_layer_types")
    if dense:
        found["leading_dense_block_count"] = next((i for i, kind in enumerate(dense) if kind != "dense"), len(dense))
    window = c.number("sliding_window", default=WINDOW if windows and any(windows) else 0)
    if window:
        found["attention.sliding_window"] = window
        found |= {"attention.sliding_window_pattern": windows} if windows else {}
    return found
