"""MiniMax M2: experts in every block, norms over all heads of q and k."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.models.families import configs
from gyakusan.models.families.configs import Config
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("minimax-m2",)
MODEL_TYPES = {"minimax_m2": "minimax-m2", "minimax": "minimax-m2"}


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention()
    yield b.w("attn_q_norm", b.heads * b.key)
    yield b.w("attn_k_norm", b.kv * b.key)
    yield from b.feed_forward(chosen=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. intermediate_size is the width of an expert."""
    found = configs.common(c)
    return found | {"expert_feed_forward_length": c.width}
