"""Gemma 3n: only the first 20 layers have a cache of their own; per-layer embeddings on the host; tied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gemma3n",)
MODEL_TYPES = {"gemma3n": "gemma3n", "gemma3n_text": "gemma3n"}
_E4B = {
    "num_hidden_layers": 35,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "vocab_size": 262400,
    "max_position_embeddings": 32768,
    "sliding_window": 512,
    "num_kv_shared_layers": 15,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gemma3n": _E4B, "gemma3n_text": _E4B}
"""What a config.json may leave out. Source: transformers 5.23, Gemma3nTextConfig."""
OWNERS = 20
"""Layers with a cache, hard-coded in src/models/gemma3n.cpp (n_layer_kv_from_start)."""
LOW = 64
"""laurel_rank of every published model."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    The layers after the first 20 read the last cache of their kind.
    """
    count, slides = layers.loaded(m), layers.pattern(m, 5)
    owners = min(OWNERS, count)
    own = layers.windowed(m, slides, m.positive("attention.sliding_window"), range(owners))
    return layers.sharing(own, slides, range(owners, count))


def tables(m: Metadata) -> tuple[str, ...]:
    """Return the tables of which only single rows are read: both embeddings stay on the host."""
    return ("token_embd.weight", "per_layer_token_embd.weight")


def output_first(m: Metadata) -> bool:
    """Return True if the loader makes a tied output before the embedding."""
    return True


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. With the matrices of the parallel streams (altup)."""
    vocabulary, width, low = m.positive("vocab_size"), m.positive("embedding_length"), _low(m)
    streams = m.positive("altup.num_inputs") - 1
    yield from parts.edges(m, vocabulary, tied=True)
    yield parts.tensor("per_layer_token_embd.weight", low * m.blocks, vocabulary)
    yield parts.tensor("per_layer_model_proj.weight", width, low * m.blocks)
    yield parts.tensor("per_layer_proj_norm.weight", low)
    yield parts.tensor("altup_proj.weight", width, width, streams)
    yield parts.tensor("altup_unembd_proj.weight", width, width, streams)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    width = m.number("embedding_length_per_layer_input", 0) * m.blocks
    return Graph(scaled=True, streams=m.positive("altup.num_inputs"), per_layer=width)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm", "post_norm", "laurel_post_norm")
    yield from b.norms("altup_router_norm", "altup_correct_scale")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()
    streams, low = b.m.positive("altup.num_inputs"), _low(b.m)
    yield b.w("altup_correct_coef", streams, streams)
    yield b.w("altup_predict_coef", streams, streams * streams)
    yield b.w("altup_router", b.embedding, streams)
    yield b.w("inp_gate", b.embedding, low)
    yield b.w("proj", low, b.embedding)
    yield b.w("laurel_l", b.embedding, LOW)
    yield b.w("laurel_r", LOW, b.embedding)


def _low(m: Metadata) -> int:
    return m.positive("embedding_length_per_layer_input")


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    intermediate_size may be a list. Source: conversion/gemma.py (Gemma3NModel).
    """
    each = c.values.get("intermediate_size")
    single = Config({**c.values, "intermediate_size": None}, c.outer) if isinstance(each, list) else c
    found = configs.common(single) | ({"feed_forward_length": each} if isinstance(each, list) else {})
    windows = c.windows()
    found |= {"attention.sliding_window_pattern": windows} if windows else {}
    return found | {
        "attention.sliding_window": c.number("sliding_window"),
        "attention.shared_kv_layers": c.number("num_kv_shared_layers"),
        "altup.num_inputs": c.number("altup_num_inputs", default=4),
        "embedding_length_per_layer_input": c.number("hidden_size_per_layer_input", default=256),
        "gyakusan.tied": True,
    }
