"""Command A+ and North Mini Code: attention and experts side by side, windows but in the first layer of four."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("cohere2moe",)
MODEL_TYPES = {"cohere2_moe": "cohere2moe"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/cohere2moe.cpp."""
    return layers.periodic(m, 4, dense_first=True)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(parallel=True, unrotated=True)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm")
    yield from b.attention()
    yield from b.feed_forward()
    if b.extra:
        yield from b.prediction()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    intermediate_size is the experts' width, prefix_dense_intermediate_size that of the leading dense blocks.
    Source: conversion/command_r.py (Cohere2MoeModel); transformers 5.24, Cohere2MoeConfig (tied unless the config says no).
    """
    found, windows = configs.common(c) | configs.mixture(c), c.windows()
    tied = c.get("tie_word_embeddings")
    found |= {"attention.sliding_window_pattern": windows} if windows else {}
    return found | {
        "feed_forward_length": c.number("prefix_dense_intermediate_size", "intermediate_size"),
        "expert_feed_forward_length": c.number("intermediate_size"),
        "attention.sliding_window": c.number("sliding_window", default=4096),
        "gyakusan.tied": tied is None or bool(tied),
    }
