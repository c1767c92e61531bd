"""Ling and Ring 2: q, k and v in one matrix, experts after leading dense blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Tensor
from gyakusan.models.families import configs
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("bailingmoe2",)
MODEL_TYPES = {"bailing_moe": "bailingmoe2", "bailing_moe_v2": "bailingmoe2"}


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="fused")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(fused=True, qk_norm=True)
    yield from b.feed_forward(chosen=True)
    if b.extra:
        yield from b.prediction()
        yield from b.norms("layer_output_norm")


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/bailingmoe.py."""
    extra = c.number("num_nextn_predict_layers", default=0)
    found = configs.common(c) | configs.mixture(c) | {"block_count": c.layers + extra, "nextn_predict_layers": extra}
    shared, width = found.get("expert_shared_count", 0), found.get("expert_feed_forward_length", 0)
    return found | {"expert_shared_feed_forward_length": found.get("expert_shared_feed_forward_length", shared * width)}
