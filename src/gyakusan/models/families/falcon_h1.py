"""Falcon-H1: attention and Mamba-2 side by side in every block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("falcon-h1",)
MODEL_TYPES = {"falcon_h1": "falcon-h1"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Both in every block. Source: src/models/falcon-h1.cpp, llama-model.cpp (create_memory).
    """
    every = range(layers.loaded(m))
    return (*layers.attention(m, every), layers.recurrent(m, every, "mamba2"))


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm")
    yield b.w("ffn_norm", b.embedding)
    yield from b.mamba2(norm=b.m.stated("state_norm"))
    yield from b.attention()
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Widths of the state space part. Source: conversion/falcon_h1.py.
    """
    found, heads = configs.common(c), c.number("mamba_n_heads")
    return found | {
        "ssm.conv_kernel": c.number("mamba_d_conv", default=4),
        "ssm.inner_size": c.number("mamba_d_ssm"),
        "ssm.state_size": c.number("mamba_d_state", default=256),
        "ssm.time_step_rank": heads,
        "ssm.group_count": c.number("mamba_n_groups", default=1),
        "gyakusan.state_norm": c.flag("mamba_rms_norm"),
    }
