"""gpt-oss: every other layer sees a short window; attention sinks; experts with biases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Experts, Memory, Tensor
from gyakusan.models.families import configs, layers
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("gpt-oss",)
MODEL_TYPES = {"gpt_oss": "gpt-oss"}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state.

    A window in layers 0, 2, 4 ... Source: src/models/openai-moe.cpp.
    """
    m.positive("attention.sliding_window")
    return layers.periodic(m, 2)


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    yield from b.norms("attn_norm", "post_attention_norm")
    yield from b.attention(bias=True, output_bias=True)
    yield b.w("attn_sinks", b.heads)
    if isinstance(b.ffn, Experts):
        yield from b.experts(b.ffn, bias=True)


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys that a config.json stands for. intermediate_size is the width of one expert."""
    found = configs.common(c) | {"attention.sliding_window": c.number("sliding_window")}
    return found | {"expert_feed_forward_length": c.number("intermediate_size")}
