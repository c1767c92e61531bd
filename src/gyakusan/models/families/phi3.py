"""Phi-3, Phi-4: q, k and v in one matrix, gate and up in one. Its window is disabled in llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Tensor
from gyakusan.models.families import configs, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("phi3",)
MODEL_TYPES = {"phi3": "phi3"}


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. Long contexts have two sets of rotary factors."""
    yield from parts.edges(m, m.positive("vocab_size"))
    rotary = m.number("rope.dimension_count", 0) // 2
    for name in ("long", "short") if m.stated("long_rope") else ():
        yield parts.tensor(f"rope_factors_{name}.weight", rotary)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="fused")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(fused=True, bias=b.m.stated("attention_bias"))
    yield from b.feed_forward(fused=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    rope_scaling with long_factor marks a long context. Source: conversion/phi.py.
    """
    found = configs.common(c)
    share = c.get("partial_rotary_factor")
    rotary = found["embedding_length"] // (found["attention.head_count"] or 1)
    found["rope.dimension_count"] = int(rotary * share) if isinstance(share, (int, float)) else rotary
    return found | {"gyakusan.long_rope": "long_factor" in c.rope}
