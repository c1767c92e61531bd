"""PLaMo 2: Mamba and attention in turn; q, k and v in one matrix, gate and up in one; tied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("plamo2",)
MODEL_TYPES = {"plamo2": "plamo2"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Mamba where a block has no key-value heads. Source: src/models/plamo2.cpp.
    """
    return layers.hybrid(m, "mamba")


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="fused")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file. Some norms have no suffix."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from (b.bare("post_attention_norm", b.embedding), b.bare("post_ffw_norm", b.embedding))
    if b.kv:
        yield from b.attention(fused=True)
        yield from (b.w("attn_q_norm", b.key, b.heads), b.w("attn_k_norm", b.key, b.kv))
    else:
        yield from _mamba(b)
    yield from b.feed_forward(fused=True)


def _mamba(b: Block) -> Iterator[Tensor]:
    """Time steps for each head, not for each value."""
    inner, state, heads, kernel = parts.state_space(b.m)
    step = max(64, b.embedding // 16)
    yield b.w("ssm_in", b.embedding, 2 * inner)
    yield b.w("ssm_conv1d", kernel, inner)
    yield b.w("ssm_x", inner, step + 2 * state)
    yield b.w("ssm_dt", step, heads)
    yield b.bias("ssm_dt", heads)
    for name, width in (("a", heads), ("d", heads), ("dt_norm", step), ("b_norm", state), ("c_norm", state)):
        yield b.bare(f"ssm_{name}", width)
    yield b.w("ssm_out", inner, b.embedding)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Attention where i % step == step // 2 (or the config lists the full layers). Source: conversion/plamo.py.
    """
    found, step, count = configs.common(c), c.number("mamba_step", default=2), c.layers
    if not step:
        raise c.bad("mamba_step", step)
    attends = [i == count - 1 if count <= step // 2 else i % step == step // 2 for i in range(count)]
    head, heads = c.number("hidden_size_per_head"), c.number("mamba_num_heads")
    return found | {
        "attention.head_count": [found["attention.head_count"] if a else 0 for a in attends],
        "attention.head_count_kv": [found["attention.head_count_kv"] if a else 0 for a in attends],
        "attention.key_length": head,
        "attention.value_length": head,
        "ssm.conv_kernel": c.number("mamba_d_conv"),
        "ssm.state_size": c.number("mamba_d_state"),
        "ssm.time_step_rank": heads,
        "ssm.inner_size": heads * head,
        "ssm.group_count": 0,
        "gyakusan.tied": True,
    }
