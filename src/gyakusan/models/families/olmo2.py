"""OLMo 2 and 3: norms only after; OLMo 3 has windows, every fourth layer is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("olmo2",)
MODEL_TYPES = {"olmo2": "olmo2", "olmo3": "olmo2"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/olmo2.cpp."""
    return layers.periodic(m, 4)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="normed")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("post_attention_norm", "post_ffw_norm")
    yield from b.attention()
    yield b.w("attn_q_norm", b.heads * b.key)
    yield b.w("attn_k_norm", b.kv * b.key)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/olmo.py."""
    found, windows = configs.common(c), c.windows()
    if c.get("sliding_window") is not None:
        found["attention.sliding_window"] = c.number("sliding_window")
        found |= {"attention.sliding_window_pattern": windows} if windows else {}
    return found
