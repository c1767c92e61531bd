"""EmbeddingGemma: Gemma 3's blocks as an encoder.

Source: llama.cpp b11434, src/models/gemma-embedding.cpp, src/llama-model.cpp (create_memory: none).
"""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import Graph, Memory, Tensor
from gyakusan.models.families import layers, parts
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gemma-embedding",)


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return no group: an encoder stores nothing between two inputs."""
    return ()


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks. The dense layers after the last norm are not in the usual files."""
    return parts.edges(m, m.positive("vocab_size"), tied=True)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(scaled=True, encoder=max(layers.heads(m)), masks=2)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()
