"""What a tensor is for, by its name, and whether it is ever quantised."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from gyakusan.patterns import late

Kind = Literal["output", "embedding", "value", "key", "query", "mixed", "up", "gate", "down", "other"]
"""What a tensor is for. value: attn_v, attn_qkv and attn_kv_b; mixed: the matrix after attention (attn_output)."""

# The first that is found decides.
_PARTS: tuple[tuple[str, Kind], ...] = (
    ("attn_qkv.weight", "value"),
    ("attn_kv_b.weight", "value"),
    ("attn_v.weight", "value"),
    ("attn_k.weight", "key"),
    ("attn_q.weight", "query"),
    ("attn_output.weight", "mixed"),
    ("ffn_up", "up"),
    ("ffn_gate", "gate"),
    ("ffn_down", "down"),
)
_EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")


def _has(name: str, words: Iterable[str]) -> bool:
    """Return True if one of some words is in a name. No pattern: to compile these takes longer than they are used."""
    return any(word in name for word in words)


_RWKV = (
    "first",
    "w0",
    "w1",
    "w2",
    "v0",
    "v1",
    "v2",
    "a0",
    "a1",
    "a2",
    "g1",
    "g2",
    "decay_w1",
    "decay_w2",
    "lerp_fused",
)
_NEVER = (
    # norms, routers, the routing table of DeepSeek-V4
    *("_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight"),
    # Gemma 3n: very small, or not too big
    *("altup", "laurel", "per_layer_model_proj"),
    # short convolutions of Mamba, Kimi and LFM2; MiniMax's indexer; T5's relative positions
    *("ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "attn_rel_b.weight"),
    # RWKV's small matrices
    *(f"time_mix_{x}.weight" for x in _RWKV),
    # parts of vision and audio encoders
    *(".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger"),
    *("a.rvq.codebook", "mm.a.code_embd"),
)
_NEVER_HERE = {
    "glm5-next": (
        *("hc_", "indexer.attn_q_b", "indexer.attn_k", "indexer.proj", "indexer_compressor_gate"),
        *("indexer_compressor_ape", "ssm_f_a.weight", "ssm_f_b.weight", "ssm_g_a.weight", "ssm_g_b.weight"),
        *("ssm_beta.weight", "attn_kv_a_mqa.weight", "attn_k_b.weight", "attn_v_b.weight"),
    )
}
_NEVER_WHOLE = ("position_embd.weight", "token_types.weight")

_FULL = late(
    r"(position_embd|token_types|[av]\.position_embd|posnet\.\d+\.norm[12]"
    r"|(v\.)?blk\.\d+\.(ffn_gate_inp(_shexp)?|ssm_conv1d(_[qkv])?|shortconv\.conv|indexer\.proj"
    r"|time_mix_(first|w1|w2|decay_w1|decay_w2|lerp_fused)|altup_(correct|predict)_coef))\.weight"
)
_FULL_HERE = {
    "minimax-m3": (".indexer.",),
    "glm5-next": ("hc_attn_", "hc_ffn_", "output_hc", "indexer_compressor_", "ssm_a", "ssm_dt", "exp_probs_b"),
    "hy-v4": ("hc_attn_fn.weight", "hc_ffn_fn.weight", "output_hc_fn.weight"),
}


@lru_cache(maxsize=32768)
def split(name: str) -> tuple[int, str]:
    """Return the block number and the name in block 0, so that all blocks share one answer; -1 outside of the blocks."""
    if name.startswith("blk."):
        _, number, rest = name.split(".", 2) if name.count(".") > 1 else ("", "", "")
        if number.isdecimal():
            return int(number), f"blk.0.{rest}"
    return -1, name


@lru_cache(maxsize=4096)
def kind(name: str) -> Kind:
    """Return what the tensor is for."""
    if name == "output.weight":
        return "output"
    if name in _EMBEDDINGS:
        return "embedding"
    return next((k for part, k in _PARTS if part in name), "other")


@lru_cache(maxsize=4096)
def dimensions(shape: tuple[int, ...]) -> int:
    """Return the number of dimensions, without the ones at the end (ggml_n_dims)."""
    return next((i + 1 for i in range(len(shape) - 1, 0, -1) if shape[i] > 1), 1)


@lru_cache(maxsize=4096)
def _named_for_quantizing(name: str, architecture: str) -> bool:
    return (
        name.endswith("weight")
        and name not in _NEVER_WHOLE
        and not _has(name, _NEVER)
        and not _has(name, _NEVER_HERE.get(architecture, ()))
    )


@lru_cache(maxsize=8192)
def quantizable(name: str, shape: tuple[int, ...], architecture: str) -> bool:
    """Return True if the quantiser may change the tensor's type at all."""
    return dimensions(shape) > 1 and _named_for_quantizing(name, architecture)


@lru_cache(maxsize=4096)
def _kept_full(name: str, architecture: str) -> bool:
    return (
        not name.endswith((".weight", ".lora_a", ".lora_b"))
        or name.endswith("_norm.weight")
        or _FULL.fullmatch(name) is not None
        or _has(name, _FULL_HERE.get(architecture, ()))
    )


def converted(name: str, shape: tuple[int, ...], architecture: str, base: str = "F16") -> str:
    """Return the type that llama.cpp's converter gives to a tensor of an unquantised file: F32 or `base`.

    shape: as the converter wrote it, ones included. I32 for the routing table of DeepSeek-V4. A file may hold more in
    F32 than this (hy-v4's output with enable_lm_head_fp32, tensors that DeepSeek-V4 stores so).
    """
    if "ffn_gate_tid2eid" in name:
        return "I32"
    return "F32" if len(shape) <= 1 or _kept_full(split(name)[1], architecture) else base
