"""Llama 4: three layers see a chunk of 8192 tokens, then a full one; one shared expert."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from gyakusan.core.model import Experts, FeedForward, Graph, Memory
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata

ARCHITECTURES = ("llama4",)
MODEL_TYPES = {"llama4": "llama4", "llama4_text": "llama4"}
CHUNK = 8192
"""Hard-coded in src/models/llama4.cpp."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    A chunk is cached like a window. A window of 0 in the file turns it off.
    """
    if m.get("attention.sliding_window") == 0:
        return layers.attention(m, range(layers.loaded(m)))
    groups = layers.windowed(m, layers.pattern(m, 4), CHUNK)
    return tuple(structs.replace(g, chunked=True) if g.window else g for g in groups)


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks.

    Experts in every `interleave_moe_layer_step`-th block, the shared one as wide as the others.
    """
    step = m.number("interleave_moe_layer_step", 1)
    if not m.number("expert_count", 0) or not step:
        return layers.by_width(layers.widths(m), range(layers.loaded(m)))
    found = layers.mixture(m, [(i + 1) % step == 0 for i in range(m.blocks)])
    return tuple(structs.replace(g, shared=g.width) if isinstance(g, Experts) else g for g in found)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(temperature=True, weigh_first=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    intermediate_size is the width of an expert, intermediate_size_mlp of a dense block.
    """
    return configs.common(c) | {
        "feed_forward_length": c.number("intermediate_size_mlp", "intermediate_size"),
        "expert_feed_forward_length": c.number("intermediate_size"),
        "interleave_moe_layer_step": c.number("interleave_moe_layer_step", default=1),
    }
