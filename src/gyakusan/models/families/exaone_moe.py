"""K-EXAONE: windows of three layers in four, experts after leading dense blocks, a prediction block at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Dense, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("exaone-moe",)
MODEL_TYPES = {"exaone_moe": "exaone-moe"}
WINDOW = 128
"""Window where the file does not say. Source: src/models/exaone-moe.cpp. [tokens]"""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/exaone-moe.cpp."""
    return layers.periodic(m, 4, default=WINDOW)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks. Full layers have no rotary embedding."""
    return Graph(unrotated=True)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file. Prediction blocks are dense."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    if b.extra:
        yield from b.dense(Dense((b.i,), layers.widths(b.m)[b.i]))
        yield from b.prediction()
    else:
        yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/exaone.py (ExaoneMoEModel)."""
    found, extra = configs.common(c) | configs.mixture(c), c.number("num_nextn_predict_layers", default=0)
    dense = c.kinds("mlp_layer_types")
    if dense:
        found["leading_dense_block_count"] = next((i for i, kind in enumerate(dense) if kind != "dense"), len(dense))
    windows = c.windows()
    found |= {"attention.sliding_window_pattern": windows + [False] * extra} if windows else {}
    return found | {
        "block_count": c.layers + extra,
        "nextn_predict_layers": extra,
        "attention.sliding_window": c.number("sliding_window", default=WINDOW),
    }
