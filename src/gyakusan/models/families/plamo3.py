"""PLaMo 3: windows, every eighth layer is full; q, k and v in one matrix, gate and up in one; tied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("plamo3",)
MODEL_TYPES = {"plamo3": "plamo3"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/plamo3.cpp."""
    return layers.periodic(m, 8)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="fused")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file. Some norms have no suffix."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from (b.bare("post_attention_norm", b.embedding), b.bare("post_ffw_norm", b.embedding))
    yield from b.attention(fused=True, qk_norm=True)
    yield from b.feed_forward(fused=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/plamo.py."""
    found = configs.common(c) | {"gyakusan.tied": True}
    if c.get("window_size", "sliding_window") is not None:
        found["attention.sliding_window"] = c.number("window_size", "sliding_window")
        found["attention.sliding_window_pattern"] = c.number("sliding_window_pattern", default=8)
    return found
