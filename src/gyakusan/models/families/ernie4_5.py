"""ERNIE 4.5: dense, or experts after leading dense blocks at a fixed step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import FeedForward, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("ernie4_5", "ernie4_5-moe")
MODEL_TYPES = {"ernie4_5": "ernie4_5", "ernie4_5_moe": "ernie4_5-moe"}


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. Source: src/models/ernie4-5-moe.cpp."""
    step, lead = m.positive("interleave_moe_layer_step", 1), m.number("leading_dense_block_count", 0)
    if not m.number("expert_count", 0):
        return layers.by_width(layers.widths(m), range(layers.loaded(m)))
    return layers.mixture(m, [i >= lead and (i + 1) % step == 0 for i in range(m.blocks)])


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(bias=b.m.stated("attention_bias"))
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/ernie.py."""
    found = configs.common(c) | configs.mixture(c)
    if found.get("expert_count"):
        found["interleave_moe_layer_step"] = c.number("moe_layer_interval", default=1)
    return found
