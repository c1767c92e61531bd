"""GPT-NeoX: biases everywhere, no gate, q, k and v in one matrix."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import FeedForward, Graph, Tensor
from gyakusan.models.families import layers, parts
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gptneox",)
MODEL_TYPES = {"gpt_neox": "gptneox"}


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. Two matrices, GELU between them. Source: src/models/gptneox.cpp."""
    return layers.by_width(layers.widths(m), range(layers.loaded(m)), gated=False)


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks."""
    yield from parts.edges(m, m.positive("vocab_size"))
    yield parts.tensor("output_norm.bias", m.positive("embedding_length"))


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(query="fused")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm", bias=True)
    yield from b.attention(fused=True, bias=True, output_bias=True)
    yield from b.feed_forward(bias=True)
