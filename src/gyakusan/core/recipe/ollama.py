"""What Ollama's own quantiser makes of a model: not the mix of llama.cpp.

Ollama quantises by itself since 0.7 (May 2025). It began as a port of llama.cpp's rules and went its own way: latent
attention at Q8_0, the experts' down projection and attn_v of the Qwen hybrids at Q6_K, per-layer embeddings and vision
as they were. Its counters differ too: every ffn_down tensor counts, shared experts included.
Source: ollama 1e95ab3, server/quantization.go (newType, getTensorNewType, qwen3LinearAttnQuantType, quantize).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from gyakusan.core.dtypes import DTYPES
from gyakusan.core.model import Experts, Model, Tensor
from gyakusan.core.recipe import kinds
from gyakusan.core.recipe.names import canonical
from gyakusan.errors import BadSetting

DEFAULT = MappingProxyType(
    {"F32": "F32", "F16": "F16", "BF16": "BF16", "Q8_0": "Q8_0", "Q4_K_M": "Q4_K", "Q4_K_S": "Q4_K"}
)
"""What Ollama's quantiser makes, and the type most tensors get. Other quantisations of its tags are llama.cpp's work."""

_SKIPPED = re.compile(
    r"^v\.|mm\.|_norm\.weight|ffn_gate_inp(_shexp)?\.weight|^position_embd\.weight$|^token_types\.weight$"
    r"|ssm_conv1d\.weight|shortconv\.conv\.weight|time_mix_(first|w1|w2|decay_w1|decay_w2|lerp_fused)\.weight"
    r"|attn_rel_b\.weight|per_layer_token_embd\.weight"
)
_LATENT = re.compile(r"attn_(k_b|v_b|kv_a_mqa|q_a|q_b)\.weight")
_LINEAR = ("qwen3next", "qwen35", "qwen35moe")
_LINEAR_LOW = re.compile(
    r"\.(attn_q|attn_k|attn_output|attn_qkv|attn_gate|ssm_ba|ssm_beta|ssm_alpha|ssm_out"
    r"|ffn_(gate|up)_(exps|shexp))\.weight$"
)
_LINEAR_HIGH = re.compile(r"\.(attn_v|ffn_down_exps|ffn_down_shexp)\.weight$")
_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules need to know of a model.

    quantization: a key of DEFAULT
    linear: True if the rules for Qwen's hybrids hold
    experts: of one layer, 0 if dense
    values: number of tensors that count as attn_v
    blocks: blocks, with those for multi-token prediction
    tied: True if there is no output.weight
    """

    quantization: str
    linear: bool
    experts: int
    values: int
    blocks: int
    tied: bool


def apply_ollama(quantization: str, model: Model, *, hybrids: bool = True) -> Model:
    """Return the model as quantised by Ollama. Raises UnknownName, BadSetting for quantisations that Ollama does not make.

    hybrids: with its rules for Qwen's hybrids; its tags of Qwen3-Next are older than they.
    """
    name = canonical(quantization)
    if name == "MXFP4_MOE" and model.architecture == "gpt-oss":
        return replace(model, tensors=tuple(_gpt_oss(t) for t in model.tensors), quantization=name)
    if name not in DEFAULT:
        raise BadSetting(
            "Ollama cannot quantise to {name}.", name=name, known=", ".join(DEFAULT), mend="It supports {known}."
        )
    chosen = types(name, model, hybrids=hybrids)
    tensors = tuple(t.stored_as(c) for t, c in zip(model.tensors, chosen, strict=True))
    return replace(model, tensors=tensors, quantization=name)


def types(quantization: str, model: Model, *, hybrids: bool = True) -> tuple[str, ...]:
    """Return the element type of each tensor, in the model's order. quantization: a key of DEFAULT."""
    tensors = model.tensors
    out = [t.type for t in tensors]
    facts = _Facts(
        quantization,
        model.architecture in _LINEAR and hybrids and DEFAULT[quantization] == "Q4_K",
        max((f.count for f in model.feed_forward if isinstance(f, Experts)), default=1),
        sum(any(x in t.name for x in ("attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight")) for t in tensors),
        len({kinds.split(t.name)[0] for t in tensors} - {-1}),
        all(t.name != "output.weight" for t in tensors),
    )
    seats = {"value": 0, "down": 0}
    for i in _order(tensors):
        if _quantized(tensors[i]):
            out[i] = _one(facts, tensors[i], seats)
        elif out[i] == "F16" and quantization == "BF16":
            out[i] = "BF16"
    return tuple(out)


def _order(tensors: Sequence[Tensor]) -> list[int]:
    """Return the order in the file: block by block, and within a block as the converter wrote it."""
    return sorted(range(len(tensors)), key=lambda i: kinds.split(tensors[i].name)[0])


def _quantized(tensor: Tensor) -> bool:
    return tensor.name.endswith("weight") and len(tensor.shape) > 1 and not _SKIPPED.search(tensor.name)


def _one(f: _Facts, tensor: Tensor, seats: dict[str, int]) -> str:
    if f.linear:
        if _LINEAR_HIGH.search(tensor.name):
            return "Q6_K"
        if _LINEAR_LOW.search(tensor.name):
            return "Q4_K"
    return _fitted(_wanted(f, tensor, seats), tensor.shape[0])


def _wanted(f: _Facts, tensor: Tensor, seats: dict[str, int]) -> str:
    """Return the type before the row is looked at. seats: number of earlier attn_v and ffn_down, counted on here."""
    name, default = tensor.name, DEFAULT[f.quantization]
    if name == "output.weight" or (f.tied and name == "token_embd.weight"):
        if tensor.shape[0] % DTYPES[default].block or default == "Q8_0":
            return "Q8_0"
        return "Q6_K" if DTYPES[default].quantized else default
    if "attn_v.weight" in name:
        seats["value"] += 1
        return "Q8_0" if f.experts == 8 else _more(f, seats["value"] - 1, f.values, 4)
    if _LATENT.search(name) and DTYPES[default].quantized:
        return "Q8_0"
    if "ffn_down" in name:
        seats["down"] += 1
        return _more(f, seats["down"] - 1, f.blocks, f.blocks // 8)
    if f.experts == 8 and DTYPES[default].quantized:
        if "attn_k.weight" in name:
            return "Q8_0"
        if "attn_output.weight" in name and default == "Q4_K":
            return "Q5_K"
    return "Q5_K" if "attn_qkv.weight" in name and f.quantization == "Q4_K_M" else default


def _more(f: _Facts, seat: int, count: int, first: int) -> str:
    """Return the type of a tensor that may get more bits.

    count: tensors by which eighths are counted; first: number of tensors that get Q5_K in Q4_K_S.
    """
    if f.quantization == "Q4_K_M" and _spread(seat, count):
        return "Q6_K"
    return "Q5_K" if f.quantization == "Q4_K_S" and seat < first else DEFAULT[f.quantization]


def _spread(seat: int, count: int) -> bool:
    """Return True for the first and the last eighth, and every third between (useMoreBits)."""
    return seat < count // 8 or seat >= 7 * count // 8 or (seat - count // 8) % 3 == 2


def _fitted(type: str, row: int) -> str:  # noqa: A002
    if row % DTYPES[type].block == 0:
        return type
    other = _FALLBACK.get(type, type)
    return "F16" if row % DTYPES[other].block else other


def _gpt_oss(tensor: Tensor) -> Tensor:
    """Return a tensor of gpt-oss as OpenAI published it: experts MXFP4, other matrices BF16, the rest unchanged."""
    if "_exps.weight" in tensor.name:
        return tensor.stored_as("MXFP4")
    plain = tensor.type != "F32" and not DTYPES[tensor.type].quantized
    return tensor.stored_as("BF16") if plain else tensor
