"""Qwen3-Next, Qwen3.5, Qwen3.6: gated delta layers, and full attention (with an output gate) in every fourth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Experts, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("qwen3next", "qwen35", "qwen35moe")
MODEL_TYPES = {
    "qwen3_next": "qwen3next",
    "qwen3_5": "qwen35",
    "qwen3_5_text": "qwen35",
    "qwen3_5_moe": "qwen35moe",
    "qwen3_5_moe_text": "qwen35moe",
}


def recurrent(m: Metadata) -> tuple[bool, ...]:
    """Return for each block if it is recurrent. Source: src/models/qwen35.cpp."""
    found = m.flags("attention.recurrent_layers")
    interval, count = m.positive("full_attention_interval", 4), layers.loaded(m)
    return found or tuple(i < count and (i + 1) % interval != 0 for i in range(m.blocks))


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. A delta-rule state, or keys and values."""
    states, full = layers.split(recurrent(m), layers.loaded(m))
    return (*layers.attention(m, full), layers.recurrent(m, states, "gated_delta"))


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(positions=1 if m.architecture == "qwen3next" else 4, query="gated")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm")
    if recurrent(b.m)[b.i]:
        yield from b.delta()
        yield from _decay(b)
    else:
        yield from b.attention(qk_norm=True, queries=2)
    yield from b.feed_forward()
    if isinstance(b.ffn, Experts):
        yield b.w("ffn_gate_inp_shexp", b.embedding)
    if b.extra:
        yield from b.prediction()


def _decay(b: Block) -> Iterator[Tensor]:
    """Return the tensors of beta and alpha: in one matrix in Qwen3-Next, in two since."""
    rank = b.m.positive("ssm.time_step_rank")
    if b.m.architecture == "qwen3next":
        yield b.w("ssm_ba", b.embedding, 2 * rank)
    else:
        yield from (b.w("ssm_beta", b.embedding, rank), b.w("ssm_alpha", b.embedding, rank))


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Prediction layers count as blocks. Source: conversion/qwen.py."""
    found = configs.common(c) | configs.mixture(c)
    head, values = c.number("linear_key_head_dim"), c.number("linear_num_value_heads")
    extra = c.number("mtp_num_hidden_layers", default=0)
    return found | {
        "block_count": c.layers + extra,
        "nextn_predict_layers": extra,
        "full_attention_interval": c.number("full_attention_interval", default=4),
        "ssm.conv_kernel": c.number("linear_conv_kernel_dim"),
        "ssm.state_size": head,
        "ssm.group_count": c.number("linear_num_key_heads"),
        "ssm.time_step_rank": values,
        "ssm.inner_size": values * c.number("linear_value_head_dim"),
    }
