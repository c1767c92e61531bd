"""Jamba: attention in one block of eight, Mamba in the others; experts in every other block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("jamba",)
MODEL_TYPES = {"jamba": "jamba"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Mamba where a block has no key-value heads. Source: src/models/jamba.cpp.
    """
    return layers.hybrid(m, "mamba")


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks.

    Which blocks have experts shows only in the tensors; without them, every other one as published.
    """
    names = m.names
    sparse = [f"blk.{i}.ffn_gate_inp.weight" in names if names else i % 2 == 1 for i in range(m.blocks)]
    return (
        layers.mixture(m, sparse) if m.number("expert_count", 0) else layers.by_width(layers.widths(m), range(m.blocks))
    )


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(positions=0)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention() if b.kv else b.mamba(norms=True)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Attention where (i - offset) is a multiple of the period. Source: conversion/jamba.py.
    """
    found = configs.common(c)
    period, offset = c.number("attn_layer_period", default=8), c.number("attn_layer_offset", default=4)
    if not period:
        raise c.bad("attn_layer_period", period)
    width, kvs = found["embedding_length"], found["attention.head_count_kv"]
    return found | {
        "attention.head_count_kv": [kvs if i % period == offset % period else 0 for i in range(c.layers)],
        "ssm.conv_kernel": c.number("mamba_d_conv", default=4),
        "ssm.inner_size": width * c.number("mamba_expand", default=2),
        "ssm.state_size": c.number("mamba_d_state", default=16),
        "ssm.time_step_rank": c.number("mamba_dt_rank", default=-(-width // 16)),
    }
