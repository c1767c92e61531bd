"""MiMo-V2 Flash: short windows with more key-value heads and attention sinks; experts after the first block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import FeedForward, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("mimo2",)
MODEL_TYPES = {"mimo_v2_flash": "mimo2"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/mimo2.cpp."""
    return layers.windowed(m, layers.pattern(m, None), m.positive("attention.sliding_window"))


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks.

    Which blocks are dense shows only in the tensors; without them, the first.
    """
    sparse = [f"blk.{i}.ffn_gate_inp.weight" in m.names if m.names else i > 0 for i in range(m.blocks)]
    return layers.mixture(m, sparse)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention()
    if b.m.stated("full_sinks", True) or layers.pattern(b.m, None)[b.i]:
        yield b.w("attn_sinks", b.heads)
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Source: conversion/mimo.py; prediction layers are left out as in older files.
    """
    found, slides = configs.common(c) | configs.mixture(c), c.numbers("hybrid_layer_pattern")
    if slides is None or len(slides) < c.layers:
        raise c.bad("hybrid_layer_pattern", slides)
    few, many = found["attention.head_count_kv"], c.number("swa_num_key_value_heads")
    return found | {
        "attention.head_count_kv": [many if s else few for s in slides[: c.layers]],
        "attention.value_length": c.number("v_head_dim"),
        "attention.sliding_window": c.number("sliding_window"),
        "attention.sliding_window_pattern": slides[: c.layers],
        "gyakusan.full_sinks": c.flag("add_full_attention_sink_bias"),
    }
