"""Trinity (AFMoE): windows, every fourth layer is full; a gate on the attention; norms before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("afmoe",)
MODEL_TYPES = {"afmoe": "afmoe"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/afmoe.cpp."""
    return layers.periodic(m, 4)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(lifted=True)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    yield from b.attention(qk_norm=True)
    yield b.w("attn_gate", b.embedding, b.heads * b.value)
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/afmoe.py."""
    return configs.common(c) | configs.mixture(c) | {"attention.sliding_window": c.number("sliding_window", default=0)}
