"""Where the model files of MLX-LM differ from a GGUF: in their caches, and in the architectures they lack."""

from __future__ import annotations

from msgspec import structs

from gyakusan.core.model import Attention, Experts, Indexer, Latent, Memory, Model

WHOLE = frozenset({"gemma2", "phi3", "qwen2", "smallthinker", "granite-swa"})
"""Architectures whose file has no make_cache: window layers keep every token."""
CHUNKED = frozenset({"llama4"})
"""ChunkedKVCache: it cannot be merged, so requests are served one at a time."""
LACKING = frozenset(
    {"deepseek4", "maple", "smallthinker", "granite-swa", "cohere2moe", "hy_v3", "glm5-next", "qwen4exp"}
)
"""Architectures without a file, or whose file keeps something that is not priced (deepseek_v41.LayerCache)."""
LISTED = frozenset({"falcon-h1", "deepseek32", "glm-dsa", "minimax-m3"})
"""Two caches in one list, which --kv-bits passes by: it changes nothing. generate.py, maybe_quantize_kv_cache"""
TWO_SIDED = frozenset({"deepseek32", "glm-dsa"})
"""The indexer's cache holds zeros as values, as wide as its keys. deepseek_v32.Indexer"""

V2_EXPERTS = 160
"""Routed experts of DeepSeek-V2, the most that one of its line has: V3 has 256, Kimi-K2 384."""


def memory(model: Model) -> tuple[Memory, ...]:
    """Return the groups of layers with a cache or a state under MLX-LM, in MLX's own widths."""
    return tuple(_kept(model, m) for m in model.memory)


def expands(model: Model) -> bool:
    """Return True if the file multiplies latent vectors out before it stores them: DeepSeek-V2 and its Lite and Coder.

    V3's file and those after it store the latent vector. Only they balance experts by a bias; early conversions of them left
    it out, so that the number of experts tells as well.
    """
    biased = any("exp_probs_b" in t.name for t in model.tensors)
    most = max((f.count for f in model.feed_forward if isinstance(f, Experts)), default=0)
    return model.architecture == "deepseek2" and not biased and most <= V2_EXPERTS


def batches(model: Model) -> bool:
    """Return False if the model's caches cannot be merged. server.py, ModelProvider.is_batchable."""
    return model.architecture not in CHUNKED


def _kept(model: Model, memory: Memory) -> Memory:
    match memory:
        case Latent() if expands(model):
            key, heads = memory.nope + memory.rope, memory.heads
            return Attention(memory.layers, heads, heads * key, heads * memory.value_head, key, memory.value_head)
        case Attention(window=int()) if model.architecture in WHOLE:
            return structs.replace(memory, window=None)
        case Indexer():
            return structs.replace(memory, value=memory.key if model.architecture in TWO_SIDED else 0)
        case _:
            return memory
