"""Laguna: windows with more heads, every fourth layer (the first of four) is full; a gate for each head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gyakusan.core.model import Experts, FeedForward, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("laguna",)
MODEL_TYPES = {"laguna": "laguna"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Source: src/models/laguna.cpp."""
    return layers.periodic(m, 4, dense_first=True)


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """One shared expert, as wide as the others where the file does not say."""
    lead = m.number("leading_dense_block_count", 0)
    found = layers.mixture(m, [i >= lead for i in range(m.blocks)])
    return tuple(replace(g, shared=g.shared or g.width) if isinstance(g, Experts) else g for g in found)


def block(b: Block) -> Iterator[Tensor]:
    """One block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield b.w("attn_gate", b.embedding, b.heads)
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Query heads may differ between layers. Source: conversion/laguna.py."""
    found, windows = configs.common(c) | configs.mixture(c), c.windows()
    each = c.numbers("num_attention_heads_per_layer")
    found |= {"attention.head_count": each} if each else {}
    dense = c.kinds("mlp_layer_types")
    if dense:
        found["leading_dense_block_count"] = next((i for i, kind in enumerate(dense) if kind != "dense"), len(dense))
    if c.get("sliding_window") is not None:
        found["attention.sliding_window"] = c.number("sliding_window")
        found |= {"attention.sliding_window_pattern": windows} if windows else {}
    return found
