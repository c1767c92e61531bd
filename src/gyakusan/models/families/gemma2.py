"""Gemma 2: every other layer sees a window; norms before and after; tied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gemma2",)
MODEL_TYPES = {"gemma2": "gemma2"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    A window in layers 0, 2, 4 ... Source: src/models/gemma2.cpp.
    """
    return layers.periodic(m, 2, default=4096)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    yield from b.attention()
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. tie_word_embeddings is true where the config.json says nothing."""
    found = configs.common(c) | {"attention.sliding_window": c.number("sliding_window", default=4096)}
    return found | {"gyakusan.tied": c.flag("tie_word_embeddings", True)}
