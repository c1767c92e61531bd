"""Apertus: no gate in the feed-forward network; norms on the heads of q and k."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import FeedForward, Tensor
from gyakusan.models.families import layers
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("apertus",)
MODEL_TYPES = {"apertus": "apertus"}


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the groups of feed-forward networks. Two matrices, xIELU between them. Source: src/models/apertus.cpp."""
    return layers.by_width(layers.widths(m), range(layers.loaded(m)), gated=False)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()
