"""The rules by which llama.cpp's quantiser chooses the type of one tensor, one function for each kind of tensor.

Source: llama.cpp b11434, src/llama-quant.cpp (llama_tensor_get_type_impl, tensor_type_fallback).
"""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.dtypes import DTYPES
from gyakusan.core.recipe.kinds import Kind
from gyakusan.core.recipe.names import DEFAULT
from gyakusan.errors import BadSetting

_SMALLEST = frozenset({"IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ1_S", "IQ1_M"})
_IQ2_LARGE = frozenset({"IQ2_S", "IQ2_M"})
# MoE models with 8 experts: attn_output is small against the experts.
_EIGHT_MIXED = frozenset(
    {"Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS"}
)
_MIXED = {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}
_EMBEDDING = {
    "IQ2_XXS": "Q2_K",
    "IQ2_XS": "Q2_K",
    "IQ1_S": "Q2_K",
    "IQ1_M": "Q2_K",
    "IQ2_S": "IQ3_S",
    "IQ2_M": "IQ3_S",
    "IQ3_XXS": "IQ3_S",
    "TQ1_0": "Q4_K",
    "TQ2_0": "Q4_K",
    "Q2_0": "Q4_K",
}
_DOWN = {"Q2_K": "Q3_K", "Q3_K_L": "Q5_K"}
# Blocks of 256 values (Q2_0: 64) -> a type with blocks of 32 for rows that they do not divide.
_FALLBACK = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL"),
    **dict.fromkeys(("Q2_0", "Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "Q4_0"),
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}


class Facts(Struct, frozen=True):
    """What the rules need to know of a model.

    quantization: a key of DEFAULT
    architecture: as in GGUF
    layers: blocks in the file
    experts: of one layer, 0 if dense
    gqa: query heads for each KV head in the first block, 0 if it has no attention
    values: number of tensors of kind value
    seventy: True if llama.cpp classes it as a 70B model
    tied: True if there is no output.weight
    matrix: True if an importance matrix is given
    """

    quantization: str
    architecture: str
    layers: int
    experts: int
    gqa: int
    values: int
    seventy: bool
    tied: bool
    matrix: bool


def _more_bits(layer: int, layers: int) -> bool:
    """Return True for the first and the last eighth of the layers, and every third between."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _first(layer: int, layers: int, part: int) -> bool:
    return layer < layers // part


def _output(f: Facts, row: int) -> str:
    default = DEFAULT[f.quantization]
    if f.quantization == "MXFP4_MOE" or f.architecture == "falcon" or row % DTYPES[default].block:
        return "Q8_0"
    if f.quantization in _SMALLEST or f.quantization == "IQ3_XXS":
        return "Q5_K"
    return default if default == "Q8_0" else "Q6_K"


def _mxfp4(f: Facts, kind: Kind, shape: tuple[int, ...]) -> str:
    expert = len(shape) > 2 and shape[2] > 1
    if f.architecture == "bailingmoe3":
        expert = expert and kind in ("up", "gate", "down")
    return "MXFP4" if expert else "Q8_0"


def _smallest(f: Facts, kind: Kind, seat: int) -> str:
    """Return the type in the IQ1 and IQ2 families. seat: number of earlier tensors of this kind."""
    default = DEFAULT[f.quantization]
    large = "IQ3_S" if f.quantization in _IQ2_LARGE else "Q2_K"
    match kind:
        case "value":
            return "Q4_K" if f.gqa >= 4 or f.experts >= 4 else large
        case "key":
            return "Q4_K" if f.experts == 8 else default
        case "down":
            return large if _first(seat, f.layers, 8) else default
        case "mixed" if f.experts == 8:
            return "Q5_K"
        case "mixed" if f.quantization in ("IQ1_S", "IQ1_M"):
            return "IQ2_XXS"
        case "mixed" if f.quantization in _IQ2_LARGE:
            return "IQ3_S"
        case _:
            return default


def _value_mix(f: Facts, seat: int) -> str:
    """Return the type of attn_v before the rules for large models. With grouped queries it is small: more bits cost little."""
    default = DEFAULT[f.quantization]
    grouped = f.gqa >= 4
    match f.quantization:
        case "Q2_K":
            return "Q4_K" if grouped else "Q3_K"
        case "IQ3_XXS":
            return "Q4_K" if grouped else default if f.matrix else "IQ3_S"
        case "Q2_K_S" | "IQ3_XS" | "IQ3_S":
            return "Q4_K" if grouped else default
        case "IQ3_M":
            return "Q4_K"
        case "Q3_K_M":
            return "Q5_K" if seat < 2 else "Q4_K"
        case "Q3_K_L":
            return "Q5_K"
        case "IQ4_NL" | "IQ4_XS":
            return "Q5_K" if grouped else default
        case "Q4_K_M" | "Q5_K_M":
            return "Q6_K" if _more_bits(seat, f.values) else default
        case "Q4_K_S":
            return "Q5_K" if seat < 4 else default
        case _:
            return default


def _value(f: Facts, seat: int) -> str:
    if f.experts == 8:
        return "Q8_0"
    found = _value_mix(f, seat)
    return "Q5_K" if f.seventy and found in ("Q3_K", "Q4_K") else found


def _query_key(f: Facts, kind: Kind) -> str:
    if kind == "key" and f.experts == 8:
        return "Q8_0"
    return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(f.quantization, DEFAULT[f.quantization])


def _falcon_down(f: Facts, layer: int) -> str:
    match f.quantization:
        case "Q3_K_M" if _first(layer, f.layers, 16):
            return "Q5_K"
        case "Q3_K_M" if _more_bits(layer, f.layers):
            return "Q4_K"
        case "Q3_K_L":
            return "Q4_K"
        case "Q4_K_M" if _first(layer, f.layers, 16):
            return "Q6_K"
        case "Q4_K_M" if _more_bits(layer, f.layers):
            return "Q5_K"
        case "Q3_K_M" | "Q4_K_M" | "Q4_K_S":
            return DEFAULT[f.quantization]
        case _:
            return _down(f, layer)


def _down(f: Facts, layer: int) -> str:
    default = DEFAULT[f.quantization]
    eighth, more = _first(layer, f.layers, 8), _more_bits(layer, f.layers)
    match f.quantization:
        case name if name in _DOWN:
            return _DOWN[name]
        case "Q2_K_S":
            return "Q4_K" if eighth else default
        case "IQ3_XXS" if not f.matrix:
            return "Q4_K" if eighth else "Q3_K"
        case "Q3_K_M":
            return "Q5_K" if _first(layer, f.layers, 16) else "Q4_K"
        case "IQ3_M" if eighth or (f.experts == 8 and more):
            return "Q4_K"
        case "Q4_K_M" | "Q5_K_M":
            return "Q6_K" if more else default
        case "IQ4_NL" | "IQ4_XS" if eighth and not f.matrix:
            return "Q5_K"
        case "Q4_K_S" if eighth:
            return "Q5_K"
        case "Q4_0" | "Q5_0" if eighth and f.matrix:
            return "Q4_1" if f.quantization == "Q4_0" else "Q5_1"
        case _:
            return default


def _mixed(f: Facts) -> str:
    default = DEFAULT[f.quantization]
    if f.architecture == "falcon":
        return "Q4_K" if f.quantization == "Q3_K_L" else default
    if f.experts == 8:
        return "Q5_K" if f.quantization in _EIGHT_MIXED else default
    return _MIXED.get(f.quantization, default)


def _up_gate(f: Facts, layer: int) -> str:
    inner = f.layers // 8 <= layer < 7 * f.layers // 8
    return "IQ3_XXS" if f.quantization == "IQ3_XS" and inner else DEFAULT[f.quantization]


def _exact(f: Facts, name: str) -> bool:
    """Return True for the tensors of GLM-5-next that stay at Q8_0."""
    return f.architecture == "glm5-next" and any(x in name for x in ("attn_q_a", "attn_q_b", "nextn.eh_proj"))


def wanted(f: Facts, kind: Kind, name: str, shape: tuple[int, ...], seat: int, layer: int) -> str:
    """Return the type for a quantised tensor, before its row is looked at.

    seat: number of earlier tensors of its kind; layer: the block that the feed-forward rules go by.
    """
    if _exact(f, name):
        return "Q8_0"
    if kind == "output" or (kind == "embedding" and f.tied):
        return _output(f, shape[0])
    if f.quantization == "MXFP4_MOE":
        return _mxfp4(f, kind, shape)
    if kind == "embedding":
        return _EMBEDDING.get(f.quantization, DEFAULT[f.quantization])
    if f.quantization in _SMALLEST:
        return _smallest(f, kind, seat)
    return _by_kind(f, kind, seat, layer)


def _by_kind(f: Facts, kind: Kind, seat: int, layer: int) -> str:
    match kind:
        case "value":
            return _value(f, seat)
        case "key" | "query":
            return _query_key(f, kind)
        case "down":
            return _falcon_down(f, layer) if f.architecture == "falcon" else _down(f, layer)
        case "mixed":
            return _mixed(f)
        case "up" | "gate":
            return _up_gate(f, layer)
        case _:
            return DEFAULT[f.quantization]


def fitted(type: str, row: int) -> str:  # noqa: A002
    """Return `type`, or its replacement if its block does not divide a row of `row` values; F16 at last.

    Raises BadSetting where llama.cpp knows no replacement (Q1_0).
    """
    block = DTYPES[type].block
    if row % block == 0:
        return type
    if block > 32 and type not in _FALLBACK:
        raise BadSetting(
            ("{type} needs rows whose length is a multiple of {block}; this model has a tensor with rows of {row}."),
            type=type,
            block=block,
            row=row,
            mend="Choose another quantisation, e.g. Q4_K_M.",
        )
    other = _FALLBACK.get(type, type)
    return "F16" if row % DTYPES[other].block else other
