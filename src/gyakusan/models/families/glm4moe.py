"""GLM-4.5, 4.6, 4.7, Solar Open: experts after leading dense blocks, a prediction block at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.models.families import configs
from gyakusan.models.families.configs import Config
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("glm4moe",)
MODEL_TYPES = {"glm4_moe": "glm4moe", "glm4v_moe_text": "glm4moe", "solar_open": "glm4moe"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm")
    yield from b.attention(bias=b.m.stated("attention_bias"), qk_norm=b.m.stated("qk_norm"))
    yield from b.feed_forward(chosen=True)
    if b.extra:
        yield from b.prediction(table=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Prediction layers count as blocks. Source: conversion/glm.py (Glm4MoeModel).
    """
    found, extra = configs.common(c) | configs.mixture(c), c.number("num_nextn_predict_layers", default=0)
    return found | {
        "block_count": c.layers + extra,
        "nextn_predict_layers": extra,
        "leading_dense_block_count": c.number("first_k_dense_replace", default=0),
        "gyakusan.qk_norm": c.flag("use_qk_norm"),
    }
