"""EXAONE 4: norms only after; the 32B (64 blocks) has windows, every fourth layer is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("exaone4",)
MODEL_TYPES = {"exaone4": "exaone4"}
LARGE = 64
"""Blocks of the one model with windows, hard-coded in src/models/exaone4.cpp."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Smaller models attend to everything in every layer."""
    count = layers.loaded(m)
    return layers.periodic(m, 4, default=4096) if count == LARGE else layers.attention(m, range(count))


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="normed")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("post_attention_norm", "post_ffw_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/exaone.py."""
    window = {"attention.sliding_window": c.number("sliding_window")} if c.get("sliding_window") is not None else {}
    return configs.common(c) | window
