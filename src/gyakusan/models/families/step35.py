"""Step-3.5 Flash: windows with more heads; experts after leading dense blocks; a gate for each head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Dense, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("step35",)
MODEL_TYPES = {"step3p5": "step35"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Source: src/models/step35.cpp."""
    return layers.windowed(m, layers.pattern(m, None), m.positive("attention.sliding_window"))


def extra_loaded(m: Metadata) -> str:
    """Return the regular expression of tensors that are loaded although their block is not.

    create_tensor of these lacks the flag that skips prediction blocks.
    """
    prediction = r"nextn\.(shared_head_head|shared_head_norm|embed_tokens)"
    return rf"\.(ffn_(?!norm)\w+|exp_probs_b|attn_(q_norm|k_norm|gate)|{prediction})\."


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(lifted=True)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file. Prediction blocks are dense."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield b.w("attn_gate", b.embedding, b.heads)
    if b.extra:
        yield from b.dense(Dense((b.i,), layers.widths(b.m)[b.i]))
        yield from b.prediction(table=True)
    else:
        yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Windowed layers have their own head counts. Source: conversion/step3.py.
    """
    found, other = configs.common(c), c.get("attention_other_setting")
    windowed = Config(other if isinstance(other, Mapping) else c.values, c.outer)
    extra = c.number("num_nextn_predict_layers", default=0)
    count = c.layers + extra
    slides = ((c.windows() or []) + [False] * count)[:count]
    heads, kvs = c.number("num_attention_heads"), c.number("num_attention_groups")
    sparse = str(c.get("moe_layers_enum") or "").split(",")
    return found | {
        "block_count": count,
        "nextn_predict_layers": extra,
        "attention.head_count": [windowed.number("num_attention_heads") if s else heads for s in slides],
        "attention.head_count_kv": [windowed.number("num_attention_groups") if s else kvs for s in slides],
        "attention.sliding_window": c.number("sliding_window"),
        "attention.sliding_window_pattern": slides,
        "expert_count": c.number("moe_num_experts"),
        "expert_used_count": c.number("moe_top_k"),
        "expert_feed_forward_length": c.number("moe_intermediate_size"),
        "expert_shared_feed_forward_length": c.number("share_expert_dim"),
        "leading_dense_block_count": int(sparse[0]) if sparse[0].isdecimal() else 0,
    }
