"""Granite 4 hybrids: Mamba-2 in most blocks, attention in a few; dense, or experts with shared ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("granitehybrid",)
MODEL_TYPES = {"granitemoehybrid": "granitehybrid", "bamba": "granitehybrid"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Mamba-2 where a block has no key-value heads. Source: src/models/granite-hybrid.cpp.
    """
    return layers.hybrid(m, "mamba2")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention() if b.kv else b.mamba2()
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    A model without Mamba layers is converted as plain granite; one without rotary embedding has no limit.

    Source: conversion/granite.py.
    """
    found = configs.common(c) | configs.mixture(c)
    shared = c.number("shared_intermediate_size", default=0)
    kinds = c.kinds() or ["full_attention"] * c.layers
    if not found.get("expert_count"):
        found |= {"feed_forward_length": shared or c.width}
        found = {k: v for k, v in found.items() if not k.startswith("expert_")}
    elif shared:
        found["expert_shared_feed_forward_length"] = shared
    if "linear_attention" not in kinds:
        return found | {"general.architecture": "granitemoe" if found.get("expert_count") else "granite"}
    kvs, heads = found["attention.head_count_kv"], c.number("mamba_n_heads", default=128)
    bamba = c.model_type == "bamba"
    return found | {
        "context_length": found.get("context_length", 0) if bamba else 2**20,
        "attention.head_count_kv": [kvs if kind == "full_attention" else 0 for kind in kinds],
        "ssm.conv_kernel": c.number("mamba_d_conv", default=4),
        "ssm.inner_size": c.number("mamba_expand", default=2) * found["embedding_length"],
        "ssm.state_size": c.number("mamba_d_state", default=256),
        "ssm.time_step_rank": heads,
        "ssm.group_count": c.number("mamba_n_groups", default=1),
    }
