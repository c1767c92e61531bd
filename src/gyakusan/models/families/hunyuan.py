"""Hunyuan: norms on the heads of q and k; dense, or experts with shared ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.models.families import configs
from gyakusan.models.families.configs import Config
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("hunyuan-dense", "hunyuan-moe")
MODEL_TYPES = {"hunyuan_v1_dense": "hunyuan-dense", "hunyuan_v1_moe": "hunyuan-moe"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Counts and widths are lists with one value for each layer, all equal. Source: conversion/hunyuan.py.
    """
    flat = Config({k: _single(v) for k, v in c.values.items()}, c.outer)
    found = configs.common(flat) | configs.mixture(flat)
    if c.rope.get("alpha"):
        found["context_length"] = 2**18
    if found.get("expert_count"):
        shared = flat.number("num_shared_expert", default=0)
        width = found.get("expert_feed_forward_length", flat.width)
        found |= {
            "expert_shared_feed_forward_length": shared * flat.width,
            "expert_feed_forward_length": width,
        }
    return found


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value and all(v == value[0] for v in value) else value
