"""Qwen2 and Qwen2.5: biases on q, k and v only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.models.families import configs
from gyakusan.models.families.configs import Config
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("qwen2",)
MODEL_TYPES = {"qwen2": "qwen2"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(bias=True)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Its use_sliding_window is false in every published model, and llama.cpp has no window for it.
    """
    return configs.common(c)
