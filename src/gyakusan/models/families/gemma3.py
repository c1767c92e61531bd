"""Gemma 3: five layers with a window, then a full one; norms before and after; tied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gemma3",)
MODEL_TYPES = {"gemma3": "gemma3", "gemma3_text": "gemma3"}
_TEXT = {
    "vocab_size": 262208,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "sliding_window": 4096,
    "max_position_embeddings": 131072,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gemma3": _TEXT, "gemma3_text": _TEXT}
"""What small published configs leave out. Source: transformers 5.23, Gemma3TextConfig."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Every 6th layer is full. Source: src/models/gemma3.cpp."""
    return layers.periodic(m, 6)


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. The output is always the embedding table."""
    return parts.edges(m, m.positive("vocab_size"), tied=True)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(scaled=True)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. The converter drops the 64 padding tokens."""
    found = configs.common(c)
    found |= {"attention.sliding_window": c.number("sliding_window", default=4096), "gyakusan.tied": True}
    return found | ({"vocab_size": 262144} if found["vocab_size"] == 262208 else {})
