"""dots.llm1: experts after leading dense blocks, norms on the heads of q and k."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import Tensor
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("dots1",)
MODEL_TYPES = {"dots1": "dots1"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward(chosen=True)
