"""Small models that no one trained: architectures and tensor names that the recorded files lack. Tests only.

The quantiser looks at names, shapes and a few key-values; it does not ask whether the tensors make a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.core.recipe import converted

Zoo = dict[str, tuple[dict[str, Any], tuple[Tensor, ...]]]

_ODD = """
cls.weight token_types.weight position_embd.weight per_layer_token_embd.weight per_layer_model_proj.weight
altup_proj.weight output_hc_fn.weight enc.blk.0.attn_rel_b.weight v.position_embd.weight v.patch_embd.weight
v.blk.0.attn_q.weight v.blk.0.attn.rel_pos_h.weight sam.pos_embd.weight sam.neck.0.weight sam.net_2.weight
mm.patch_merger.weight mm.0.weight a.rvq.codebook.weight mm.a.code_embd.weight
"""
_ODD_IN_BLOCK = """
attn_kv_b.weight attn_kv_a_mqa.weight attn_k_b.weight attn_v_b.weight attn_q_a.weight attn_q_b.weight attn_gate.weight
attn_output.bias ffn_norm.weight ffn_gate_inp.weight ffn_gate_inp_shexp.weight ffn_gate_tid2eid.weight laurel_l.weight
altup_router.weight nextn.eh_proj.weight hc_attn_fn.weight shortconv.conv.weight
ssm_norm.weight ssm_conv1d.weight ssm_conv1d_q.weight ssm_a ssm_in.weight ssm_beta.weight
ssm_f_a.weight ssm_f_b.weight ssm_g_a.weight ssm_g_b.weight
indexer.k_proj.weight indexer.q_proj.weight indexer.proj.weight indexer.attn_q_b.weight indexer.attn_k.weight
indexer_compressor_gate.weight indexer_compressor_ape.weight
time_mix_first.weight time_mix_key.weight time_mix_decay_w1.weight time_mix_decay_w2.weight time_mix_lerp_fused.weight
time_mix_w0.weight time_mix_w1.weight time_mix_w2.weight time_mix_v0.weight time_mix_v1.weight time_mix_v2.weight
time_mix_a0.weight time_mix_a1.weight time_mix_a2.weight time_mix_g1.weight time_mix_g2.weight
"""


def _block(i: int, width: int, experts: int, fused: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    last = (experts,) if experts else ()
    kind = "_exps" if experts else ""
    names = ("attn_qkv",) if fused else ("attn_q", "attn_k", "attn_v")
    yield f"blk.{i}.attn_norm.weight", (width,)
    yield from ((f"blk.{i}.{n}.weight", (width, width)) for n in (*names, "attn_output"))
    yield from ((f"blk.{i}.ffn_{n}{kind}.weight", (width, width, *last)) for n in ("gate", "up", "down"))


def _odd(blocks: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    shapes = ((512, 32), (128, 8), (96, 5), (100, 3), (320, 4, 2))
    names = [*_ODD.split(), *(f"blk.{i}.{n}" for i in range(blocks) for n in _ODD_IN_BLOCK.split())]
    yield "flat.weight", (512, 1)
    for at, name in enumerate(names):
        yield name, shapes[at % len(shapes)]


def _model(
    architecture: str,
    blocks: int,
    *,
    width: int = 512,
    heads: int | list[int] = 8,
    kv_heads: int | list[int] = 2,
    experts: int = 0,
    fused: bool = False,
    tied: bool = False,
    odd: bool = False,
    **extra: Any,
) -> tuple[dict[str, Any], tuple[Tensor, ...]]:
    shapes = [("token_embd.weight", (width, 1000)), ("output_norm.weight", (width,))]
    shapes += [] if tied else [("output.weight", (width, 1000))]
    # Not in the order of the blocks: the quantiser sorts.
    for i in reversed(range(blocks)):
        shapes += _block(i, width, experts, fused)
    shapes += _odd(blocks) if odd else ()
    names = set[str]()
    tensors = tuple(
        Tensor(n, s, converted(n, s, architecture))
        for n, s in shapes
        if not (n in names or names.add(n))  # type: ignore[func-returns-value]
    )
    pairs = {
        "block_count": blocks,
        "context_length": 4096,
        "embedding_length": width,
        "feed_forward_length": width,
        "attention.head_count": heads,
        "attention.head_count_kv": kv_heads,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "attention.layer_norm_epsilon": 1e-6,
        **({"expert_count": experts, "expert_used_count": 2} if experts else {}),
        **extra,
    }
    named = {f"{architecture}.{k}": v for k, v in pairs.items()}
    return {"general.architecture": architecture, "tokenizer.ggml.model": "none", **named}, tensors


_GLM5: dict[str, Any] = {
    "attention.key_length_mla": 64,
    "attention.value_length_mla": 64,
    "attention.q_lora_rank": 64,
    "attention.kv_lora_rank": 64,
    "ssm.conv_kernel": 4,
    "kda.head_dim": 64,
    "expert_feed_forward_length": 64,
    "expert_shared_count": 1,
    "attention.indexer.head_count": 8,
    "attention.indexer.key_length": 64,
    "attention.indexer.top_k": 64,
    "attention.indexer.kpool": 4,
    "attention.indexer.types": [1] * 12,
    "hyper_connection.count": 4,
    "hyper_connection.sinkhorn_iterations": 4,
    "hyper_connection.epsilon": 1e-6,
}


def zoo() -> Zoo:
    """Name -> key-values and tensors of an unquantised file."""
    return {
        "llama-70b-like": _model("llama", 80),
        "llama-65b-like": _model("llama", 80, kv_heads=8),
        "llama-80-eight-experts": _model("llama", 80, experts=8),
        "llama-embed-80": _model("llama-embed", 80, tied=True),
        "qwen2-72b-like": _model("qwen2", 80),
        "deci-80": _model("deci", 80, heads=[8] * 80, kv_heads=[0, *[2] * 79]),
        "olmo-80": _model("olmo", 80, kv_heads=8),
        "jais2-68": _model("jais2", 68, tied=True),
        "falcon-48": _model("falcon", 48, fused=True, kv_heads=8),
        "falcon-eight-experts": _model("falcon", 20, experts=8),
        "phi2-32": _model("phi2", 32, fused=True, kv_heads=8),
        "llama-odd": _model("llama", 12, odd=True),
        "llama-odd-tied": _model("llama", 12, odd=True, tied=True, kv_heads=8),
        "llama-odd-experts": _model("llama", 12, odd=True, experts=8),
        "llama-few-experts": _model("llama", 24, experts=4, kv_heads=8, tied=True),
        "llama-narrow": _model("llama", 24, width=96),
        "llama-crooked": _model("llama", 24, width=100, heads=10),
        "bert-odd": _model("bert", 12, odd=True),
        "glm5-next-odd": _model("glm5-next", 12, odd=True, experts=16, **_GLM5),
    }
