"""ModernBERT: an encoder with rotary positions, gated networks, and windows in two layers of three.

Source: llama.cpp b11434, src/models/modern-bert.cpp, src/llama-model.cpp (create_memory: none).
"""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import layers, parts
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("modern-bert",)


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return no group: an encoder stores nothing between two inputs."""
    return ()


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. Gated, gate and up in one matrix."""
    return layers.by_width(layers.widths(m), range(m.blocks))


def tables(m: Metadata) -> tuple[str, ...]:
    """Return the names of the tensors of which only single rows are read. Everything that makes the input."""
    return ("token_embd.weight", "token_embd_norm.weight")


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(encoder=max(layers.heads(m)), query="fused", masks=2)


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks."""
    width = m.positive("embedding_length")
    yield parts.tensor("token_embd.weight", width, m.positive("vocab_size"))
    yield parts.tensor("token_embd_norm.weight", width)
    yield parts.tensor("output_norm.weight", width)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file.

    The first has no norm before attention: the embedding was normed.
    """
    yield from b.norms("attn_norm") if b.i else ()
    yield from b.attention(fused=True)
    yield from b.norms("ffn_norm")
    yield from b.feed_forward(fused=True)
