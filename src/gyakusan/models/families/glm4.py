"""GLM-4: gate and up in one matrix, norms before and after."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import Tensor
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("glm4",)
MODEL_TYPES = {"glm4": "glm4"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    yield from b.attention(bias=b.m.stated("attention_bias"))
    yield from b.feed_forward(fused=True)
    if b.extra:
        yield from b.prediction(table=True)
