"""An architecture that no family claims: what its tensors alone can tell, or nothing.

Sound only when every block is plain: attn_q, attn_k, attn_v (or attn_qkv with stated widths), attn_output, and a dense
network or experts, with nothing recurrent, latent, shared or windowed that could change what is kept.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gyakusan.core.model import Tensor
from gyakusan.models.families import layers
from gyakusan.models.families.metadata import Metadata

BLOCK = r"blk\.(\d+)\.(.+)\.(weight|bias)$"
PLAIN = (
    r"attn_(q|k|v|qkv|output|norm|norm_2|q_norm|k_norm|sinks)|post_attention_norm|post_ffw_norm|ffn_norm|ffn_gate_inp"
    r"|ffn_(gate|up|down)(_exps|_shexp)?|exp_probs_b|ffn_gate_up_exps|layer_output_norm"
)
"""Tensors that change nothing in what a block keeps."""
CACHELESS = ("dream", "llada", "llada-moe", "rnd1", "clef", "eurobert", "neo-bert")
"""Plain to look at, but without a cache: encoders and diffusion models. Source: llama-model.cpp, create_memory."""
SUSPECT = (
    "causal",
    "kv_lora",
    "ssm.",
    "shortconv",
    "wkv",
    "sliding_window",
    "kda",
    "indexer",
    "shared_kv",
    "compress",
    "_mla",
    "recurrent",
)
"""Parts of keys that speak of something that is not plain attention."""


def metadata(m: Metadata, tensors: Sequence[Tensor]) -> Metadata | None:
    """Return `m` with the widths that the tensors show, for the dense rule; None if the blocks are not all plain."""
    arch = m.architecture
    if arch in CACHELESS or any(s in k for k in m.values if k.startswith(f"{arch}.") for s in SUSPECT):
        return None
    blocks = _blocks(tensors)
    if len(blocks) != m.blocks or set(blocks) != set(range(m.blocks)):
        return None
    if not all(re.fullmatch(PLAIN, name) for block in blocks.values() for name in block):
        return None
    shown = _attention(m, [blocks[i] for i in range(m.blocks)])
    if shown is None:
        return None
    return Metadata({**m.values, **{f"{arch}.{k}": v for k, v in shown.items()}}, m.names)


def _blocks(tensors: Sequence[Tensor]) -> Mapping[int, Mapping[str, tuple[int, ...]]]:
    """Return the shapes of the weights of each block by name."""
    found: dict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for tensor in tensors:
        match = re.match(BLOCK, tensor.name)
        if match and match[3] == "weight" and tensor.shape:
            found[int(match[1])][match[2]] = tensor.shape
        elif tensor.name.startswith("blk.") and (not match or not tensor.shape):
            found[-1]["odd"] = tensor.shape
    return found


def _attention(m: Metadata, blocks: Sequence[Mapping[str, tuple[int, ...]]]) -> dict[str, object] | None:
    """Return heads and widths of each block, from the shapes of q, k and v."""
    queries = m.series("attention.head_count", 0)
    keys, values, kvs = set(), set(), []
    for i, block in enumerate(blocks):
        found = _queries(m, block, queries[i], i)
        if found is None or not queries[i] or not _has_network(block):
            return None
        q, k, v = found
        head, rest = divmod(q, queries[i])
        if rest or not head or k % head or not k or (v * head) % k:
            return None
        kvs.append(k // head)
        keys.add(head)
        values.add(v * head // k)
    if len(keys) != 1 or len(values) != 1:
        return None
    return {
        "attention.head_count_kv": kvs,
        "attention.key_length": keys.pop(),
        "attention.value_length": values.pop(),
        **_networks(blocks),
    }


def _networks(blocks: Sequence[Mapping[str, tuple[int, ...]]]) -> dict[str, object]:
    """Return widths of dense networks and of experts, from the up matrices."""
    found: dict[str, object] = {"feed_forward_length": [b.get("ffn_up", (0, 0))[-1] for b in blocks]}
    sparse = next((b for b in blocks if len(b.get("ffn_up_exps", ())) == 3), None)
    if sparse is not None:
        found["expert_feed_forward_length"] = sparse["ffn_up_exps"][1]
        found["expert_shared_feed_forward_length"] = sparse.get("ffn_up_shexp", (0,))[-1]
        found["leading_dense_block_count"] = next(i for i, b in enumerate(blocks) if "ffn_up_exps" in b)
    return found


def _queries(m: Metadata, block: Mapping[str, tuple[int, ...]], heads: int, i: int) -> tuple[int, int, int] | None:
    """Return the widths of q, k and v: of three matrices, or of one whose parts the metadata gives."""
    if {"attn_q", "attn_k", "attn_v", "attn_output"} <= set(block):
        q, k, v = (block[f"attn_{part}"][-1] for part in "qkv")
        return q, k, v
    if not {"attn_qkv", "attn_output"} <= set(block):
        return None
    kv = layers.kv_heads(m)[i]
    q, k, v = heads * (key := layers.head_width(m, "key")), kv * key, kv * layers.head_width(m, "value")
    return (q, k, v) if q + k + v == block["attn_qkv"][-1] else None


def _has_network(block: Mapping[str, tuple[int, ...]]) -> bool:
    return "ffn_down" in block or "ffn_down_exps" in block
