"""Weights on one rank: which tensors the ranks share, and the size of a quantised matrix with its scales.

Source: vLLM 0.32.0, model_executor/layers/linear.py (Column-, Row-, QKV- and ReplicatedLinear),
vocab_parallel_embedding.py, fused_moe/layer.py, model_executor/layers/quantization/*.py (create_weights).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any, Literal

from msgspec import Struct

from gyakusan.core.broadcast import round_up
from gyakusan.core.dtypes import dtype
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Checkpoint, Model, Tensor
from gyakusan.engines.vllm import drafting
from gyakusan.engines.vllm.blocks import stages
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.patterns import late

Share = Literal["whole", "ranks", "keys", "rows"]
"""Every rank has all of it; an equal share; a share as of key-value heads; a share of the vocabulary."""

VOCABULARY = 64
"""Rows of embedding and output are padded to a multiple of this (DEFAULT_VOCAB_PADDING_SIZE)."""

_ROWS = late(r"^(token_embd|output|per_layer_token_embd)\.weight$")
_KEYS = late(r"\battn_[kv]\.(weight|bias)$")
_RANKS = late(
    r"^(attn_(q|qkv|q_b|k_b|v_b|kv_b|output_a|output_b|gate|sinks)|attn_output\.weight"
    r"|ffn_(gate|up|down|gate_up)(_shexp)?\.weight|ffn_(gate|up|gate_up)(_shexp|_exps)?\.bias|ffn_(gate|up|down|gate_up)_exps"
    r"|ssm_(in|out|conv1d(_[qkv])?|beta|alpha|ba|dt|a|d|f_b|g_b)|shortconv)\b"
)
_EXPERTS = late(r"ffn_(gate|up|down|gate_up)_exps\.weight$")
_LINEAR = late(
    r"\b(attn_(q|k|v|qkv|q_a|q_b|kv_a_mqa|kv_b|k_b|v_b|kv|output|output_a|output_b|gate)|ffn_(gate|up|down|gate_up)(_shexp|_exps)?"
    r"|ssm_(in|out)|shortconv\.(in|out)_proj|indexer\.attn_q_b|nextn\.eh_proj)\.weight$"
)
"""Matrices that a method quantises unless the checkpoint keeps them."""
_PREDICTS = late(r"^(mtp|model\.mtp)\.|\.rotary_emb\.inv_freq$")
"""Tensors of a checkpoint that are not loaded: prediction layers, tables of old checkpoints."""
_PLAIN_TYPES = ("F16", "BF16", "F32")

METHODS: dict[str, Checkpoint] = {
    "none": Checkpoint(),
    "fp8": Checkpoint(method="fp8", bits=8, group=-1, scale=4),
    "int8": Checkpoint(method="compressed-tensors", bits=8, group=0),
    "awq": Checkpoint(method="awq", bits=4, group=32, symmetric=False),
    "gptq": Checkpoint(method="gptq", bits=4, group=128),
    "nvfp4": Checkpoint(method="nvfp4", bits=4, group=16, scale=1),
    "mxfp4": Checkpoint(method="mxfp4", bits=4, group=32, scale=1, unquantized=("attn", "router", "lm_head")),
    "bitsandbytes": Checkpoint(method="bitsandbytes", bits=4, group=64, scale=4),
}
"""Names for a checkpoint of each kind, as usually published.

AWQ in groups of 32: cyankiwi/Qwen3.8-27B-AWQ-INT4 is 21.0 GB (vllm-project/recipes#971), of which 0.9 are its encoder and
0.9 its prediction layer; groups of 128 would make it 19.7.
"""
FP4_EXPERTS = ("deepseek4",)
"""Architectures whose FP8 checkpoints hold experts of 4 bits: "expert_dtype": "fp4" in their config.json."""


class Weights(Struct, frozen=True):
    """The weights that one rank loads.

    best: best figure [B]
    low: low end of the range we stand for [B]
    high: high end of the range we stand for [B]
    """

    best: int
    low: int
    high: int

    @property
    def all_high_first(self) -> tuple[int, int, int]:
        """Return high, best and low [B]."""
        return self.high, self.best, self.low

    def less(self, offloaded: int) -> Weights:
        """Return what is left where so much stays in RAM [B]."""
        return Weights(*(max(0, x - offloaded) for x in (self.best, self.low, self.high)))


UNSURE: dict[str, dict[str, Any]] = {
    "awq": {"unquantized": ("attn", "router", "shared_expert")},
    "gptq": {"group": 32, "unquantized": ("attn", "router", "shared_expert"), "symmetric": False},
    "nvfp4": {"unquantized": ("attn", "router", "shared_expert")},
    "fp8": {"group": 128, "unquantized": ("router",)},
}
"""What a checkpoint may do besides that its name does not tell: smaller groups, attention in 16 bits."""
PADDED = {"cuda": 0.012, "rocm": 0.06}
"""What was seen on top of the sum of tensors: kernels' padding. CUDA: at most 0.9 %; ROCm pads experts: up to 4.5 %."""


def stored(model: Model, settings: Settings) -> Checkpoint:
    """Return how vLLM would read the weights: by the setting, else the checkpoint, else the tensors.

    Raises BadSetting for GGUF quantisations, which vLLM does not load.
    """
    if settings.quantization != "auto":
        form = METHODS[settings.quantization]
        four = settings.quantization == "fp8" and model.architecture in FP4_EXPERTS
        return replace(form, group=128, expert_group=32) if four else form
    if model.checkpoint is not None:
        return model.checkpoint
    kinds = {t.type for t in model.tensors if _LINEAR.search(t.name)}
    if kinds <= set(_PLAIN_TYPES):
        return METHODS["none"]
    named = next((n for n in ("mxfp4", "nvfp4") if n.upper() in kinds), None)
    if named is None or not kinds <= {*_PLAIN_TYPES, named.upper(), "Q8_0"}:
        raise BadSetting(
            "vLLM does not load {quantization}.",
            quantization=model.quantization,
            mend="Set quantization to the checkpoint's method: none, fp8, awq, gptq, nvfp4 or bitsandbytes.",
        )
    return METHODS[named]


_RANK = Memo[int](maxsize=64)


def prediction_layers(model: Model, settings: Settings) -> int:
    """Return the weights of the prediction layers on one rank, 0 if they do not draft: in 16 bits beside quantised layers [B]."""
    whole = drafting.predicting(model, settings)
    if whole is None:
        return 0
    form = stored(model, settings)
    plain = METHODS["none"] if form.method in drafting.SIXTEEN_BITS else form
    keys = _key_share(model, settings.tensor_parallel)
    return sum(_one(t, plain, settings, keys) for t in drafting.tensors_of(whole))


def weights(model: Model, settings: Settings, stage: int = 0, *, backend: str = "cuda") -> Weights:
    """Return the weights of one rank of pipeline stage `stage`. Raises BadSetting for quantisations that vLLM does not load."""
    form = stored(model, settings)
    copies = settings.data_parallel, settings.expert_parallel
    key = settings.tensor_parallel, settings.pipeline_parallel, *copies, stage, settings.quantization
    best = high = _RANK.get(model, (*key, "best"), lambda: _rank(model, form, settings, stage))
    if settings.quantization in UNSURE:
        other = replace(form, **UNSURE[settings.quantization])
        high = max(best, _RANK.get(model, (*key, "high"), lambda: _rank(model, other, settings, stage)))
    return Weights(best, best, round(high * (1 + PADDED.get(backend, PADDED["rocm"]))))


def _rank(model: Model, form: Checkpoint, settings: Settings, stage: int) -> int:
    count = model.blocks if model.loaded < 0 else model.loaded
    here, ranks = stages(count, settings.pipeline_parallel)[stage], settings.tensor_parallel
    last = stage == settings.pipeline_parallel - 1
    if form.tensors and settings.gpus > 1:
        alone = replace(settings, tensor_parallel=1, pipeline_parallel=1, data_parallel=1, expert_parallel=False)
        priced = replace(form, tensors=())
        share = _rank(model, priced, settings, stage) / _rank(model, priced, alone, 0)
        return round(_rank(model, form, alone, 0) * share)
    if form.tensors:
        return sum(t.bytes for t in form.tensors if not _PREDICTS.search(t.name)) + _tables(model, form)
    keys, readers = _key_share(model, ranks), _readers(model)
    total = _doubled(model, form, here, keys)
    for tensor in model.tensors:
        if _placed(tensor.name, here, stage == 0, last, model.tied) and tensor.name not in readers:
            total += _one(tensor, form, settings, keys)
    seeing = form.encoders * dtype(form.dtype).size * (stage == 0)
    shared = 1 if model.architecture == "gemma4" else ranks
    return total + seeing // shared + _tables(model, form)


def _readers(model: Model) -> frozenset[str]:
    """Return key and value matrices of layers that read another layer's cache: not loaded (models/gemma4.py)."""
    layers = [i for g in model.memory if isinstance(g, Attention) for i in g.shared]
    parts = ("attn_k.weight", "attn_v.weight", "attn_k_norm.weight")
    return frozenset(f"blk.{i}.{part}" for i in layers for part in parts)


def _read(tensor: Tensor) -> int:
    return tensor.bytes


def _placed(name: str, here: range, first: bool, last: bool, tied: bool) -> bool:
    """Return True if this stage loads the tensor. Prediction blocks are left out."""
    number = _number(name)
    if number is not None:
        return number in here
    if name.startswith("output") or name == "token_embd_norm.weight":
        return last
    if name.startswith("rope_"):
        return False
    return first or (last and tied)


@lru_cache(maxsize=65536)
def _number(name: str) -> int | None:
    match = re.match(r"blk\.(\d+)\.", name)
    return int(match[1]) if match else None


@lru_cache(maxsize=4096)
def _share(tail: str) -> Share:
    if _ROWS.match(tail):
        return "rows"
    if _KEYS.search(tail):
        return "keys"
    return "ranks" if _RANKS.search(tail) else "whole"


def expert_share(count: int, settings: Settings) -> float:
    """Return the share of a layer's experts on one rank: whole experts, or a part of each; copies share them too.

    Source: fused_moe/config.py (FusedMoEParallelConfig.make), expert_map_manager.py (determine_expert_map: the first ranks
    have one more where they do not divide).
    """
    return -(-count // settings.expert_ranks) / count if settings.expert_parallel else 1 / settings.expert_ranks


def _one(tensor: Tensor, form: Checkpoint, settings: Settings, keys: float) -> int:
    """Return the bytes of one tensor on one rank [B]."""
    ranks = settings.tensor_parallel
    tail = tensor.name.split(".", 2)[2] if tensor.name.startswith("blk.") else tensor.name
    share, shape = _share(tail), tensor.shape
    if share == "rows":
        padded = int(round_up(shape[-1], VOCABULARY * ranks)) // ranks
        return prod(shape[:-1]) * padded * dtype(form.dtype).size
    part = {"whole": 1.0, "ranks": 1 / ranks, "keys": keys}[share]
    if "_exps." in tail and (share == "ranks" or settings.expert_parallel):
        part, ranks = expert_share(shape[-1], settings), 1 if settings.expert_parallel else settings.expert_ranks
    if share == "ranks" and form.expert_group and _EXPERTS.search(tail):
        return round(tensor.values * (0.5 + 1 / form.expert_group) * part)
    if not form.method or not _LINEAR.search(tail) or _is_kept(tail, form):
        wide = "exp_probs_b" in tail or "ssm_a" in tail or "ssm_d" in tail or "hc_" in tail
        return round(tensor.values * part * (4 if wide else dtype(form.dtype).size))
    return round(_matrix(shape, form, bool(_EXPERTS.search(tail)), "down" in tail, ranks) * part)


_WORDS = (
    ("attn", re.compile(r"attn|shortconv|ssm_")),
    ("router", re.compile(r"ffn_gate_inp")),
    ("experts", re.compile(r"_exps")),
    ("shared_expert", re.compile(r"_shexp")),
    ("mlp", re.compile(r"ffn_")),
)


def _is_kept(tail: str, form: Checkpoint) -> bool:
    """Return True if the checkpoint does not quantise this class of matrix. A pattern for one layer alone does not count."""
    word = next((w for w, found in _WORDS if found.search(tail)), "")
    return any(_keeps(pattern, word) for pattern in form.unquantized)


@lru_cache(maxsize=65536)
def _keeps(pattern: str, word: str) -> bool:
    if re.search(r"\.\d+\.", pattern) or "vision" in pattern or "visual" in pattern:
        return False
    if word == "experts":
        return bool(re.search(r"(?<!shared_)experts", pattern))
    names = {"attn": ("attn", "attention"), "router": ("router",), "shared_expert": ("shared_expert",)}
    if word == "router" and re.search(r"(^|\.)gate$", pattern):
        return True
    if word == "mlp":
        return bool(re.search(r"mlp(\W*\*)?$", pattern))
    return any(n in pattern for n in names.get(word, (word or "\0",)))


def _matrix(shape: tuple[int, ...], form: Checkpoint, expert: bool, down: bool, ranks: int) -> float:
    """Return the bytes of a quantised matrix (of all ranks, all experts) with its scales. shape: inputs first [B]."""
    inputs, outputs = shape[0], shape[1] if len(shape) > 1 else 1
    many = prod(shape[2:])
    if form.method == "mxfp4" and expert:
        inputs, outputs = _padded_experts(inputs, outputs, down, ranks)
    values = inputs * outputs * many
    scales = {0: outputs * many, -1: many}.get(form.group, values / max(1, form.group))
    if form.method == "fp8" and form.group > 0:
        scales = many * -(-inputs // form.group) * -(-outputs // form.group)
    zeros = 0.0 if form.symmetric or form.bits > 8 or form.group <= 0 else scales * form.bits / 8
    return values * form.bits / 8 + scales * form.scale + zeros


def _padded_experts(inputs: int, outputs: int, down: bool, ranks: int) -> tuple[int, int]:
    """Return MXFP4 experts: the inner width padded to 128 on each rank, the model's width to 256.

    Source: model_executor/layers/quantization/mxfp4.py (Marlin); gpt-oss-20b loads 13.72 GiB so.
    """
    inner, outer = (inputs, outputs) if down else (outputs, inputs)
    inner = int(round_up(-(-inner // ranks), 128)) * ranks
    outer = int(round_up(outer, 256))
    return (inner, outer) if down else (outer, inner)


def _key_share(model: Model, ranks: int) -> float:
    """Return the share of key and value matrices on one rank: heads are replicated where there are fewer than ranks."""
    heads = next((g.key // g.key_head for g in model.memory if isinstance(g, Attention)), ranks)
    return max(1, heads // ranks) / heads


def _doubled(model: Model, form: Checkpoint, here: range, keys: float) -> int:
    """Return the bytes of keys that serve as values: vLLM loads them twice (Gemma 4, models/gemma4.py) [B]."""
    names = {t.name for t in model.tensors}
    twice = 0
    for group in model.memory:
        if not isinstance(group, Attention) or not group.value:
            continue
        for i in group.layers:
            if i in here and f"blk.{i}.attn_k.weight" in names and f"blk.{i}.attn_v.weight" not in names:
                size = _matrix((model.embedding, group.key), form, False, False, 1) if form.method else 0
                twice += round((size or model.embedding * group.key * dtype(form.dtype).size) * keys)
    return twice


def _tables(model: Model, form: Checkpoint) -> int:
    """Return cosines and sines for every position the model was trained for. rotary_embedding/base.py [B]."""
    width = max((g.key_head if isinstance(g, Attention) else getattr(g, "rope", 0) for g in model.memory), default=0)
    return model.trained_context * width * dtype(form.dtype).size if model.graph.positions else 0
