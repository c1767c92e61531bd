"""Qwen3.8-Flash-Next: gated delta layers, sparse attention in every fourth; four residual streams; a table of word groups."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("qwen4exp",)
MODEL_TYPES = {"qwen4_exp": "qwen4exp", "qwen4_exp_text": "qwen4exp"}
TABLE = "per_layer_token_embd.weight"
"""Rows for groups of two and three tokens, of which a token reads a few: a quarter of the model's weights."""


def recurrent(m: Metadata) -> tuple[bool, ...]:
    """Return for each block if it is recurrent. Source: src/models/qwen4exp.cpp."""
    found = m.flags("attention.recurrent_layers")
    interval, trunk = m.positive("full_attention_interval", 4), layers.loaded(m)
    return found or tuple(i < trunk and (i + 1) % interval != 0 for i in range(m.blocks))


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state: keys, values and an indexer's key, or a delta-rule state."""
    states, full = layers.split(recurrent(m), layers.loaded(m))
    return (*layers.attention(m, full), *layers.indexer(m, full), layers.recurrent(m, states, "gated_delta"))


def tables(m: Metadata) -> tuple[str, ...]:
    """Return the names of the tensors of which only single rows are read."""
    return ("token_embd.weight", TABLE)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    streams, chosen = m.positive("hyper_connection.count"), m.number("attention.indexer.top_k", 0)
    return Graph(positions=4, query="gated", streams=streams, selected=chosen)


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. The streams are joined where other models have their last norm."""
    width, rank = m.positive("embedding_length"), m.positive("hyper_connection.low_rank")
    wide, vocabulary = width * m.positive("hyper_connection.count"), m.positive("vocab_size")
    yield parts.tensor("token_embd.weight", width, vocabulary)
    yield parts.tensor("output_hc_norm.weight", wide)
    yield from (parts.tensor("output_hc_down.weight", wide, rank), parts.tensor("output_hc_up.weight", rank, wide))
    if not m.stated("tied"):
        yield parts.tensor("output.weight", width, vocabulary)
    if _rows(m):
        yield parts.tensor(TABLE, m.positive("embedding_length_per_layer_input"), _rows(m))


def _rows(m: Metadata) -> int:
    """Return the rows of the table of word groups, 0 = none. Written here by `from_config`."""
    stated = m.values.get("gyakusan.group_rows", 0)
    return int(stated) if isinstance(stated, int) else 0


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from _streams(b)
    if recurrent(b.m)[b.i]:
        rank = b.m.positive("ssm.time_step_rank")
        yield from b.delta()
        yield from (b.w("ssm_beta", b.embedding, rank), b.w("ssm_alpha", b.embedding, rank))
    else:
        yield from b.attention(qk_norm=True, queries=2)
        yield from _indexer(b)
    if b.i in (b.m.get("ple.layers") or ()):
        yield from _groups(b)
    yield from b.feed_forward()
    yield b.w("ffn_gate_inp_shexp", b.embedding)
    if b.extra:
        yield from _prediction(b)


def _streams(b: Block) -> Iterator[Tensor]:
    """Return how the residual streams mix, before attention and before the experts."""
    streams, rank = b.m.positive("hyper_connection.count"), b.m.positive("hyper_connection.low_rank")
    wide = streams * b.embedding
    for part in ("attn", "ffn"):
        yield from (b.w(f"hc_{part}_norm", wide), b.w(f"hc_{part}_down", wide, rank))
        yield from (b.w(f"hc_{part}_up", rank, wide), b.w(f"hc_{part}_inject", wide, streams))


def _indexer(b: Block) -> Iterator[Tensor]:
    """Return the small attention that selects blocks of tokens."""
    heads, key = b.m.positive("attention.indexer.head_count"), b.m.positive("attention.indexer.key_length")
    yield from (b.w("indexer.q_proj", b.embedding, heads * key), b.w("indexer.k_proj", b.embedding, key))
    yield from (b.w("indexer.q_norm", key), b.w("indexer.k_norm", key))


def _groups(b: Block) -> Iterator[Tensor]:
    """Return what the block does with the rows of its word groups."""
    wide = b.embedding * b.m.positive("hyper_connection.count")
    yield from (b.w("ple_key", b.embedding, wide), b.w("ple_value", b.embedding, b.embedding))
    yield from (b.w(f"ple_norm_{name}", wide) for name in ("key", "query", "conv"))
    yield b.w("ple_conv1d", b.m.positive("ple.conv_kernel"), wide)


def _prediction(b: Block) -> Iterator[Tensor]:
    """Return the further tensors of a prediction block: it has its own join of the streams."""
    wide, rank = b.embedding * b.m.positive("hyper_connection.count"), b.m.positive("hyper_connection.low_rank")
    yield from (b.w("nextn.eh_proj", 2 * b.embedding, b.embedding), b.w("nextn.enorm", b.embedding))
    yield from (b.w("nextn.hnorm", wide), b.w("nextn.hc_head_norm", wide))
    yield from (b.w("nextn.hc_head_down", wide, rank), b.w("nextn.hc_head_up", rank, wide))


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/qwen4exp.py; transformers 5.24, qwen4_exp."""
    values, extra = c.number("linear_num_value_heads"), c.number("mtp_num_hidden_layers", default=0)
    heads = (c.number("ngram_size", default=3) - 1) * c.number("heads_per_ngram", default=8)
    wide = c.number("ple_embed_dim", default=c.number("hidden_size"))
    at = [i - 1 for i in c.numbers("ple_layer_ids") or [] if i > 0]
    found = configs.common(c) | configs.mixture(c)
    if at and heads:
        found |= {
            "ple.layers": at,
            "ple.conv_kernel": c.number("ple_conv_kernel_size", default=4),
            "embedding_length_per_layer_input": wide // heads,
            "gyakusan.group_rows": _table_rows(c, heads),
        }
    return found | {
        "block_count": c.layers + extra,
        "nextn_predict_layers": extra,
        "full_attention_interval": c.number("full_attention_interval", default=4),
        "ssm.conv_kernel": c.number("linear_conv_kernel_dim"),
        "ssm.state_size": c.number("linear_key_head_dim"),
        "ssm.group_count": c.number("linear_num_key_heads"),
        "ssm.time_step_rank": values,
        "ssm.inner_size": values * c.number("linear_value_head_dim"),
        "hyper_connection.count": c.number("hc_count", default=4),
        "hyper_connection.low_rank": c.number("hc_lowrank", default=320),
        "attention.indexer.head_count": c.number("indexer_n_heads"),
        "attention.indexer.key_length": c.number("indexer_head_dim"),
        "attention.indexer.top_k": c.number("indexer_budget"),
    }


def _table_rows(c: Config, heads: int) -> int:
    """Return the rows of all heads: each has the next prime number of rows from a base on, and the sum is padded."""
    base = c.number("ngram_vocab_size_base", default=20_000_000)
    if not 0 < heads <= 64 or not 0 < base < 10**9:
        raise c.bad("heads_per_ngram", heads)
    step = c.number("make_ngram_vocab_size_divisible_by", default=128) or 1
    return -(-sum(islice(filter(_prime, count(base + 1)), heads)) // step) * step


def _prime(number: int) -> bool:
    return number > 1 and all(number % d for d in range(2, int(number**0.5) + 1))
