"""Mamba and Mamba-2: no attention at all, a state of fixed size for each conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("mamba", "mamba2")
MODEL_TYPES = {"mamba": "mamba", "falcon_mamba": "mamba", "mamba2": "mamba2"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    A state in every block. Source: llama-model.cpp (llm_arch_is_recurrent).
    """
    kind: layers.Kind = "mamba2" if m.architecture == "mamba2" else "mamba"
    return (layers.recurrent(m, range(layers.loaded(m)), kind),)


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return no group: there is no feed-forward network."""
    return ()


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(positions=0)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm")
    yield from b.mamba2() if b.m.architecture == "mamba2" else b.mamba()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for.

    Names and defaults differ between the two. Source: conversion/mamba.py.
    """
    return (_mamba2 if c.model_type == "mamba2" else _mamba)(c)


def _mamba(c: Config) -> dict[str, Any]:
    width = c.number("hidden_size", "d_model")
    inner = c.number("intermediate_size", "d_inner", default=2 * width)
    return _common(c, width, inner) | {
        "ssm.state_size": c.number("state_size", "d_state", default=16),
        "ssm.time_step_rank": c.number("time_step_rank", "dt_rank", default=-(-width // 16)),
    }


def _mamba2(c: Config) -> dict[str, Any]:
    width = c.number("hidden_size", "d_model")
    inner = c.number("d_inner", "intermediate_size", default=2 * width)
    head = c.number("head_dim", default=64)
    if not head:
        raise c.bad("head_dim", head)
    return _common(c, width, inner) | {
        "ssm.state_size": c.number("state_size", "d_state", default=128),
        "ssm.time_step_rank": c.number("num_heads", default=inner // head),
        "ssm.group_count": c.number("n_groups", default=1),
    }


def _common(c: Config, width: int, inner: int) -> dict[str, Any]:
    return {
        "block_count": c.layers,
        "context_length": 2**20,
        "embedding_length": width,
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "vocab_size": c.number("vocab_size"),
        "ssm.conv_kernel": c.number("conv_kernel", "d_conv", default=4),
        "ssm.inner_size": inner,
        "gyakusan.tied": c.flag("tie_word_embeddings", True),
    }
