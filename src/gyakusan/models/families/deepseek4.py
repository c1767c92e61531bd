"""DeepSeek-V4: a windowed key-only cache, and keys of 4 or 128 tokens compressed into one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Compressed, Experts, Graph, Memory, Recurrent, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("deepseek4",)
MODEL_TYPES = {"deepseek_v4": "deepseek4"}
OVERLAP = 4
"""The ratio at which neighbouring blocks overlap (twice the width) and which has an indexer."""


def loaded(m: Metadata) -> int:
    """Return the number of blocks that an engine loads.

    A prediction block is only counted if the file has it. Source: src/models/deepseek4.cpp.
    """
    last = m.blocks - m.number("nextn_predict_layers", 0)
    return m.blocks if m.names and f"blk.{last}.nextn.eh_proj.weight" not in m.names else layers.loaded(m)


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Keys by ratio, and the states in which the next compressed key is gathered. Source: llama-kv-cache-dsv4.cpp.
    """
    ratios, count = _ratios(m), loaded(m)
    key, indexer = layers.head_width(m, "key"), m.number("attention.indexer.key_length", 0)
    window, heads = m.positive("attention.sliding_window"), max(layers.heads(m))
    found: list[Memory] = []
    for ratio in dict.fromkeys(ratios[:count]):
        chosen = tuple(i for i in range(count) if ratios[i] == ratio)
        extra = indexer if ratio == OVERLAP else 0
        found.append(Compressed(chosen, heads, key, window, ratio, extra))
        found.extend(_compressor(chosen, width, ratio) for width in (key, extra) if ratio and width)
    return tuple(found)


def _compressor(chosen: tuple[int, ...], width: int, ratio: int) -> Recurrent:
    """Keys and scores that wait: twice as many and as wide where blocks overlap."""
    fold = 2 if ratio == OVERLAP else 1
    values = fold * width * fold * ratio
    return Recurrent(chosen, "compressor", values, values, inner=fold * width, kernel=fold * ratio)


def _ratios(m: Metadata) -> tuple[int, ...]:
    return m.series("attention.compress_ratios")


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    streams, chosen = m.number("hyper_connection.count", 1), m.number("attention.indexer.top_k", 0)
    return Graph(mixed=False, streams=streams, selected=chosen)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    low, groups = b.m.positive("attention.q_lora_rank"), b.m.positive("attention.output_group_count")
    out = b.m.positive("attention.output_lora_rank")
    yield from b.norms("attn_norm", "ffn_norm")
    yield b.w("attn_sinks", b.heads)
    yield from (b.w("attn_q_a", b.embedding, low), b.w("attn_q_a_norm", low), b.w("attn_q_b", low, b.heads * b.key))
    yield from (b.w("attn_kv", b.embedding, b.key), b.w("attn_kv_a_norm", b.key))
    yield b.w("attn_output_a", b.heads * b.key // groups, out, groups)
    yield b.w("attn_output_b", groups * out, b.embedding)
    yield from _streams(b)
    ratio = _ratios(b.m)[b.i]
    if ratio:
        yield from _compress(b, "attn", b.key, ratio)
    if ratio == OVERLAP:
        heads, key = b.m.positive("attention.indexer.head_count"), b.m.positive("attention.indexer.key_length")
        yield from (b.w("indexer.attn_q_b", low, heads * key), b.w("indexer.proj", b.embedding, heads))
        yield from _compress(b, "indexer", key, ratio)
    yield from _experts(b)


def _streams(b: Block) -> Iterator[Tensor]:
    """Hyper-connections: how the parallel residual streams mix."""
    count = b.m.positive("hyper_connection.count")
    mixed = (2 + count) * count
    for part in ("attn", "ffn"):
        yield b.w(f"hc_{part}_fn", count * b.embedding, mixed)
        yield from (b.w(f"hc_{part}_base", mixed), b.w(f"hc_{part}_scale", 3))


def _compress(b: Block, part: str, width: int, ratio: int) -> Iterator[Tensor]:
    wide = width * (2 if ratio == OVERLAP else 1)
    for name in ("kv", "gate"):
        yield b.w(f"{part}_compressor_{name}", b.embedding, wide)
    yield from (b.w(f"{part}_compressor_ape", wide, ratio), b.w(f"{part}_compressor_norm", width))


def _experts(b: Block) -> Iterator[Tensor]:
    """The first blocks choose experts by the token itself."""
    hashed = b.i < b.m.number("hash_layer_count", 0)
    yield from b.feed_forward(chosen=not hashed)
    if isinstance(b.ffn, Experts):
        yield b.bias("exp_probs_b_vl", b.ffn.count)
        if hashed:
            yield Tensor(f"blk.{b.i}.ffn_gate_tid2eid.weight", (b.ffn.used, b.m.positive("vocab_size")), "I32")


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. The streams are joined at the end."""
    count = m.positive("hyper_connection.count")
    yield from parts.edges(m, m.positive("vocab_size"))
    yield parts.tensor("output_hc_fn.weight", count * m.positive("embedding_length"), count)
    yield from (parts.tensor("output_hc_base.weight", count), parts.tensor("output_hc_scale.weight", 1))


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. Source: conversion/deepseek.py (DeepseekV4Model)."""
    return (
        configs.common(c)
        | configs.mixture(c)
        | {
            "attention.q_lora_rank": c.number("q_lora_rank"),
            "attention.sliding_window": c.number("sliding_window"),
            "attention.output_group_count": c.number("o_groups", default=8),
            "attention.output_lora_rank": c.number("o_lora_rank", default=1024),
            "attention.compress_ratios": c.numbers("compress_ratios"),
            "attention.indexer.head_count": c.number("index_n_heads"),
            "attention.indexer.key_length": c.number("index_head_dim"),
            "attention.indexer.top_k": c.number("index_topk", default=512),
            "rope.dimension_count": c.number("qk_rope_head_dim", default=64),
            "hyper_connection.count": c.number("hc_mult", default=4),
            "hash_layer_count": c.number("num_hash_layers", default=0),
        }
    )
