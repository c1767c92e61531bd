"""The rule: every layer has grouped-query attention and a gated feed-forward network (or experts).

Source: llama.cpp b11434, src/llama-model.cpp (load_hparams), src/llama-hparams.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import FeedForward, Graph, Memory, Tensor
from gyakusan.models.families import configs, layers, parts
from gyakusan.models.families.configs import Config
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block

ARCHITECTURES = ("llama", "mistral3", "smollm3", "granite", "granitemoe")
MODEL_TYPES = {
    "llama": "llama",
    "mistral": "llama",
    "mixtral": "llama",
    "ministral3": "mistral3",
    "mistral3": "mistral3",
    "smollm3": "smollm3",
    "granite": "granite",
    "granitemoe": "granitemoe",
}
"""model_type in config.json -> architecture."""
loaded = layers.loaded


def vocabulary(m: Metadata) -> int:
    """Return the size of the vocabulary: stated, or counted in the tokenizer [tokens]."""
    stated = m.number("vocab_size", 0)
    tokens = m.values.get("tokenizer.ggml.tokens")
    counted = getattr(tokens, "count", None)
    return stated or int(len(tokens or ()) if counted is None else counted)


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers with a cache: full attention in every loaded block."""
    return layers.attention(m, range(loaded(m)))


def feed_forward(m: Metadata) -> tuple[FeedForward, ...]:
    """Return the feed-forward networks: experts after the leading dense blocks if the file has any, else dense."""
    if not m.number("expert_count", 0):
        if not any(layers.widths(m)):
            raise m.bad("feed_forward_length", m.get("feed_forward_length"))
        return layers.by_width(layers.widths(m), range(loaded(m)))
    lead = m.number("leading_dense_block_count", 0)
    return layers.mixture(m, [i >= lead for i in range(m.blocks)])


def extra_loaded(m: Metadata) -> str:
    """Return the regular expression of tensors that are loaded although their block is not, "" for none."""
    return ""


def tables(m: Metadata) -> tuple[str, ...]:
    """Return the names of the tensors of which only single rows are read: they stay on the host."""
    return ("token_embd.weight",)


def output_first(m: Metadata) -> bool:
    """Return True if the loader makes a tied output before the embedding: a CPU then holds the table twice."""
    return False


def edges(m: Metadata) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks."""
    rotary = layers.head_width(m, "key") // 2 if m.stated("rope_factors") else 0
    return parts.edges(m, vocabulary(m), rotary=rotary)


def graph(m: Metadata) -> Graph:
    """Return the wiring of the blocks."""
    return Graph(unrotated=m.architecture == "smollm3", temperature=m.architecture == "mistral3")


def block(b: Block) -> Iterator[Tensor]:
    """Return the tensors of one block of the unquantised file."""
    bias = b.m.stated("attention_bias")
    yield from b.norms("attn_norm", "ffn_norm")
    yield from b.attention(bias=bias, output_bias=bias)
    yield from b.feed_forward()


def from_config(c: Config) -> dict[str, Any]:
    """Return the GGUF keys, without the architecture's prefix, that a config.json stands for."""
    return configs.common(c) | configs.mixture(c)
