"""Command R, Aya: attention and feed-forward network side by side; Command R7B and A have windows; tied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("command-r", "cohere2")
MODEL_TYPES = {"cohere": "command-r", "cohere2": "cohere2"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    cohere2: every fourth layer is full. Source: src/models/cohere2.cpp.
    """
    if m.architecture == "command-r":
        return layers.attention(m, range(layers.loaded(m)))
    return layers.periodic(m, 4)


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. Always tied."""
    return parts.edges(m, m.positive("vocab_size"), tied=True)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    windowed = m.architecture == "cohere2"
    return Graph(parallel=True, lifted=windowed, unrotated=windowed)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file. Norms of q and k have a row for each head."""
    yield from b.norms("attn_norm")
    yield from b.attention()
    if b.m.stated("qk_norm"):
        yield from (b.w("attn_q_norm", b.key, b.heads), b.w("attn_k_norm", b.key, b.kv))
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/command_r.py."""
    found = configs.common(c) | {"gyakusan.tied": True, "gyakusan.qk_norm": c.flag("use_qk_norm")}
    if c.model_type == "cohere2":
        found["attention.sliding_window"] = c.number("sliding_window")
    return found
