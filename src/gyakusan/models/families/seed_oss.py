"""Seed-OSS: biases on q, k and v."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import Tensor
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("seed_oss",)
MODEL_TYPES = {"seed_oss": "seed_oss"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm")
    yield from b.attention(bias=b.m.stated("attention_bias", True))
    yield from b.feed_forward()
