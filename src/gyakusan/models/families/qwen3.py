"""Qwen3, dense and with experts: norms on the heads of q and k."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.model import Tensor
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("qwen3", "qwen3moe")
MODEL_TYPES = {
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe",
    "qwen3_vl": "qwen3",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe": "qwen3moe",
    "qwen3_vl_moe_text": "qwen3moe",
}
"""The language part of Qwen3-VL is Qwen3."""


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(qk_norm=True)
    yield from b.feed_forward()
