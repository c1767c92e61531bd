"""Gemma 4: windows with narrower heads; the last layers share caches; per-layer embeddings in the small ones; tied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from gyakusan.core.model import Dense, Experts, FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gemma4",)
MODEL_TYPES = {"gemma4": "gemma4", "gemma4_text": "gemma4", "gemma4_unified_text": "gemma4"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Values are cached even where keys serve as values. Source: src/models/gemma4.cpp.
    """
    shared = m.number("attention.shared_kv_layers", 0)
    if shared >= m.blocks:
        raise m.bad("attention.shared_kv_layers", shared)
    window, slides = m.positive("attention.sliding_window"), layers.pattern(m, None)
    own = layers.windowed(m, slides, window, range(m.blocks - shared))
    return layers.sharing(own, slides, range(m.blocks - shared, m.blocks))


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. A dense network in every block, and experts as well in the mixture."""
    every = range(layers.loaded(m))
    dense = layers.by_width(layers.widths(m), every)
    return (*dense, layers.experts(m, every)) if m.number("expert_count", 0) else dense


def tables(m: Metadata) -> tuple[str, ...]:
    """Return the tables of which only single rows are read: both embeddings stay on the host."""
    return ("token_embd.weight", "per_layer_token_embd.weight")


def output_first(m: Metadata) -> bool:
    """Return True if the loader makes a tied output before the embedding."""
    return True


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks."""
    vocabulary, low = m.positive("vocab_size"), m.number("embedding_length_per_layer_input", 0)
    yield from parts.edges(m, vocabulary, tied=True, rotary=layers.head_width(m, "key") // 2)
    if low:
        yield parts.tensor("per_layer_token_embd.weight", low * m.blocks, vocabulary)
        yield parts.tensor("per_layer_model_proj.weight", m.positive("embedding_length"), low * m.blocks)
        yield parts.tensor("per_layer_proj_norm.weight", low)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(scaled=True, per_layer=m.number("embedding_length_per_layer_input", 0) * m.blocks)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    window = layers.pattern(b.m, None)[b.i]
    key = b.m.positive("attention.key_length_swa") if window else b.key
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    one = b.m.stated("keys_are_values") and not window
    for t in structs.replace(b, key=key, value=key).attention(qk_norm=True):
        if not (one and t.name.endswith("attn_v.weight")):
            yield t
    yield b.w("layer_output_scale", 1)
    yield from b.dense(Dense((b.i,), layers.widths(b.m)[b.i]))
    if isinstance(b.ffn, Experts):
        yield from _experts(b, b.ffn)
    low = b.m.number("embedding_length_per_layer_input", 0)
    if low:
        yield b.w("inp_gate", b.embedding, low)
        yield b.w("proj", low, b.embedding)
        yield from b.norms("post_norm")


def _experts(b: Block, ffn: Experts) -> Iterator[Tensor]:
    """Gate and up in one tensor, with scales and norms of their own."""
    yield b.w("ffn_gate_inp", b.embedding, ffn.count)
    yield Tensor(f"blk.{b.i}.ffn_gate_inp.scale", (b.embedding,), "F32")
    yield b.w("ffn_gate_up_exps", b.embedding, 2 * ffn.width, ffn.count)
    yield b.w("ffn_down_exps", ffn.width, b.embedding, ffn.count)
    yield Tensor(f"blk.{b.i}.ffn_down_exps.scale", (ffn.count,), "F32")
    yield from b.norms("post_ffw_norm_1", "post_ffw_norm_2", "pre_ffw_norm_2")


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    global_* are of the full layers. Source: conversion/gemma.py (Gemma4Model).
    """
    found, windows = configs.common(c) | configs.mixture(c), c.windows()
    if windows is None or len(windows) != c.layers:
        raise c.bad("layer_types", c.get("layer_types"))
    narrow, wide = c.number("head_dim"), c.number("global_head_dim")
    few, many = (
        c.number("num_global_key_value_heads", default=found["attention.head_count_kv"]),
        found["attention.head_count_kv"],
    )
    shared, width = c.number("num_kv_shared_layers", default=0), c.width
    double = 2 if c.flag("use_double_wide_mlp") else 1
    return found | {
        "attention.head_count_kv": [many if w else few for w in windows],
        "attention.key_length": wide,
        "attention.value_length": wide,
        "attention.key_length_swa": narrow,
        "attention.value_length_swa": narrow,
        "attention.sliding_window": c.number("sliding_window"),
        "attention.sliding_window_pattern": windows,
        "attention.shared_kv_layers": shared,
        "embedding_length_per_layer_input": c.number("hidden_size_per_layer_input", default=0),
        "feed_forward_length": [width * (double if i >= c.layers - shared else 1) for i in range(c.layers)],
        "gyakusan.tied": True,
        "gyakusan.keys_are_values": c.flag("attention_k_eq_v"),
    }
