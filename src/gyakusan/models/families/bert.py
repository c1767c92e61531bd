"""BERT and what takes after it (XLM-RoBERTa, Nomic): encoders. They read a whole input at once and keep nothing.

Source: llama.cpp b11434, src/models/bert.cpp, src/llama-model.cpp (create_memory: none); conversion/bert.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import layers, parts
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("bert", "nomic-bert", "nomic-bert-moe")


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return no group: an encoder stores nothing between two inputs."""
    return ()


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks.

    Nomic gates its network; Nomic's mixture has experts in every `moe_every_n_layers`-th block, and gates none.
    """
    every = m.number("moe_every_n_layers", 0)
    gated = m.architecture == "nomic-bert"
    if not every:
        return layers.by_width(layers.widths(m), range(m.blocks), gated)
    return layers.mixture(m, [i % every == every - 1 for i in range(m.blocks)], gated)


def tables(m: Metadata) -> tuple[str, ...]:
    """Return the names of the tensors of which only single rows are read.

    Everything that makes the input: tables of tokens, positions and sentences, and their norm.
    """
    names = ("token_embd", "position_embd", "token_types", "token_embd_norm")
    return (*(f"{n}.weight" for n in names), "token_embd_norm.bias")


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(encoder=max(layers.heads(m)), query="separate" if m.architecture == "bert" else "fused")


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. The converter leaves tables of positions and sentences in F32."""
    width = m.positive("embedding_length")
    yield parts.tensor("token_embd.weight", width, m.positive("vocab_size"))
    if m.architecture == "bert":
        yield Tensor("position_embd.weight", (width, m.positive("context_length")), "F32")
    kinds = m.values.get("tokenizer.ggml.token_type_count")
    if isinstance(kinds, int) and 0 < kinds < 1 << 16:
        yield Tensor("token_types.weight", (width, kinds), "F32")
    yield parts.tensor("token_embd_norm.weight", width)
    yield parts.tensor("token_embd_norm.bias", width)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file.

    Nomic's first version has no biases, its experts have none.
    """
    nomic = b.m.architecture != "bert"
    bias = b.m.architecture != "nomic-bert"
    yield from b.attention(bias=bias, output_bias=bias, fused=nomic)
    yield from b.norms("attn_output_norm", bias=True)
    yield from b.feed_forward(bias=bias)
    yield from b.norms("layer_output_norm", bias=True)
