"""Nemotron-H: each block is one thing only: Mamba-2, attention or a feed-forward network (not gated)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("nemotron_h", "nemotron_h_moe")
MODEL_TYPES = {"nemotron_h": "nemotron_h", "nemotron_h_moe": "nemotron_h_moe"}
KINDS = {
    "mamba": ("M", *configs.words("linear_attention")),
    "attention": ("*", *configs.words("full_attention")),
    "dense": ("-", "mlp"),
    "experts": ("E", "moe"),
}
"""What a block is -> its letter in hybrid_override_pattern, its words in layers_block_type. Source: transformers,
configuration_nemotron_h.py (_pattern_to_list, remap_legacy_layer_types)."""


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    Nothing where a block has a feed-forward width. Source: nemotron-h.cpp, llama-model.cpp (create_memory).
    """
    kvs, widths, count = layers.kv_heads(m), layers.widths(m), layers.loaded(m)
    with_kv = [i for i in range(count) if kvs[i] and not widths[i]]
    states = [i for i in range(count) if not kvs[i] and not widths[i]]
    return (*layers.attention(m, with_kv), layers.recurrent(m, states, "mamba2"))


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. Blocks that have a width: dense, or experts."""
    widths = layers.widths(m)
    chosen = [i for i in range(layers.loaded(m)) if widths[i]]
    if m.number("expert_count", 0):
        return (layers.experts(m, chosen, gated=False),)
    return layers.by_width(widths, chosen, gated=False)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(positions=0)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm")
    if b.ffn is not None:
        yield from _experts(b)
    else:
        yield from b.attention() if b.kv else b.mamba2()


def _experts(b: Block) -> Iterator[Tensor]:
    """A dense network, or experts that may work on a narrower latent vector."""
    low = b.m.number("moe_latent_size", 0)
    if not low:
        yield from b.feed_forward(chosen=True)
        return
    for t in b.feed_forward(chosen=True):
        shape = tuple(low if width == b.embedding else width for width in t.shape)
        yield parts.tensor(t.name, *shape) if "_exps." in t.name else t
    yield b.w("ffn_latent_down", b.embedding, low)
    yield b.w("ffn_latent_up", low, b.embedding)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    The kind of each block is told by layers_block_type, else by hybrid_override_pattern; their length is the number of
    blocks, whatever num_hidden_layers says. Source: conversion/nemotron.py; transformers, configuration_nemotron_h.py.
    """
    kinds = _kinds(c)
    c = configs.Config({**c.values, "num_hidden_layers": len(kinds)}, c.outer)
    found = configs.common(c) | configs.mixture(c)
    kvs, dense = found["attention.head_count_kv"], found.get("feed_forward_length", 0)
    each = {"experts": found.get("expert_feed_forward_length", dense), "dense": dense}
    groups, heads = c.number("n_groups", default=8), c.number("mamba_num_heads")
    found |= {
        "attention.head_count_kv": [kvs if k == "attention" else 0 for k in kinds],
        "feed_forward_length": [each.get(k, 0) for k in kinds],
        "ssm.conv_kernel": c.number("conv_kernel", default=4),
        "ssm.inner_size": heads * c.number("mamba_head_dim"),
        "ssm.state_size": c.number("ssm_state_size"),
        "ssm.time_step_rank": heads,
        "ssm.group_count": groups,
    }
    if c.get("moe_latent_size") is not None:
        found["moe_latent_size"] = c.number("moe_latent_size")
    if found.get("expert_count"):
        found |= {"general.architecture": "nemotron_h_moe", "context_length": 2**20}
    return found | _shared(c)


def _kinds(c: Config) -> list[str]:
    """What each block is. Raises Malformed for none, and for a word or a letter that nobody knows."""
    told = c.get("layers_block_type", "layer_types", "hybrid_override_pattern")
    known = {word: kind for kind, words in KINDS.items() for word in words}
    if not isinstance(told, (str, list)) or not told or any(not isinstance(k, str) or k not in known for k in told):
        raise c.bad("hybrid_override_pattern", told)
    return [known[k] for k in told]


def _shared(c: Config) -> dict[str, Any]:
    names = ("moe_shared_expert_intermediate_size",)
    return {"expert_shared_feed_forward_length": c.number(*names)} if c.get(*names) is not None else {}
