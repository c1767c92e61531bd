"""LFM2: short convolutions, and attention in a few blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("lfm2", "lfm2moe")
MODEL_TYPES = {"lfm2": "lfm2", "lfm2_moe": "lfm2moe"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    A convolution where a block has no key-value heads; a window, if any, on all attention. lfm2.cpp.
    """
    with_kv, without = layers.split(layers.kv_heads(m), layers.loaded(m))
    window = m.number("attention.sliding_window", 0) or None
    return (*layers.attention(m, with_kv, window), layers.shortconv(m, without))


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. Tied, the last norm goes by another name."""
    return parts.edges(m, m.positive("vocab_size"), norm="token_embd_norm", tied=True)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True) if b.kv else b.shortconv()
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    The dense width may be given before it is cut to two thirds. Source: conversion/lfm2.py.
    """
    kinds, found = c.kinds() or [], configs.common(c) | configs.mixture(c)
    full = c.numbers("full_attn_idxs") or [i for i, kind in enumerate(kinds) if kind == "full_attention"]
    kvs = found["attention.head_count_kv"]
    found |= {
        "attention.head_count_kv": [kvs if i in set(full) else 0 for i in range(c.layers)],
        "shortconv.l_cache": c.number("conv_L_cache"),
        "gyakusan.tied": True,
    }
    return found | ({"feed_forward_length": _width(c)} if c.model_type == "lfm2" else {})


def _width(c: Config) -> int:
    """Width of the dense network [values]."""
    width = c.number("block_ff_dim", "intermediate_size")
    if not c.flag("block_auto_adjust_ff_dim"):
        return width
    scale = c.get("block_ffn_dim_multiplier")
    step = c.number("block_multiple_of", default=256) or 1
    width = 2 * width // 3
    width = int(scale * width) if isinstance(scale, (int, float)) else width
    return -(-width // step) * step
