"""Names of quantisations: how llama.cpp calls them, their number in a GGUF file, and the type that most tensors get."""

from __future__ import annotations

from types import MappingProxyType

from gyakusan.errors import unknown
from gyakusan.message import say

_DEFAULT = {
    "F32": "F32",
    "F16": "F16",
    "BF16": "BF16",
    "Q8_0": "Q8_0",
    "Q6_K": "Q6_K",
    "Q5_K_M": "Q5_K",
    "Q5_K_S": "Q5_K",
    "Q5_1": "Q5_1",
    "Q5_0": "Q5_0",
    "Q4_K_M": "Q4_K",
    "Q4_K_S": "Q4_K",
    "Q4_1": "Q4_1",
    "Q4_0": "Q4_0",
    "IQ4_NL": "IQ4_NL",
    "IQ4_XS": "IQ4_XS",
    "MXFP4_MOE": "MXFP4",
    "Q3_K_L": "Q3_K",
    "Q3_K_M": "Q3_K",
    "Q3_K_S": "Q3_K",
    "IQ3_M": "IQ3_S",
    "IQ3_S": "IQ3_S",
    "IQ3_XS": "IQ3_S",
    "IQ3_XXS": "IQ3_XXS",
    "Q2_K": "Q2_K",
    "Q2_K_S": "Q2_K",
    "IQ2_M": "IQ2_S",
    "IQ2_S": "IQ2_XS",
    "IQ2_XS": "IQ2_XS",
    "IQ2_XXS": "IQ2_XXS",
    "IQ1_M": "IQ1_M",
    "IQ1_S": "IQ1_S",
    "TQ2_0": "TQ2_0",
    "TQ1_0": "TQ1_0",
    "Q2_0": "Q2_0",
    "Q1_0": "Q1_0",
}
DEFAULT = MappingProxyType(_DEFAULT)
"""The type that a quantisation gives to a tensor for which no rule says otherwise."""

QUANTIZATIONS: tuple[str, ...] = tuple(_DEFAULT)
"""Every quantisation that llama.cpp's quantiser makes, roughly from the largest to the smallest."""

FILE_TYPES = MappingProxyType(
    {
        0: "F32",
        1: "F16",
        2: "Q4_0",
        3: "Q4_1",
        # 4 to 6 and 33 to 35 are no longer written; old files still carry them.
        4: "Q4_1_SOME_F16",
        5: "Q4_2",
        6: "Q4_3",
        7: "Q8_0",
        8: "Q5_0",
        9: "Q5_1",
        10: "Q2_K",
        11: "Q3_K_S",
        12: "Q3_K_M",
        13: "Q3_K_L",
        14: "Q4_K_S",
        15: "Q4_K_M",
        16: "Q5_K_S",
        17: "Q5_K_M",
        18: "Q6_K",
        19: "IQ2_XXS",
        20: "IQ2_XS",
        21: "Q2_K_S",
        22: "IQ3_XS",
        23: "IQ3_XXS",
        24: "IQ1_S",
        25: "IQ4_NL",
        26: "IQ3_S",
        27: "IQ3_M",
        28: "IQ2_S",
        29: "IQ2_M",
        30: "IQ4_XS",
        31: "IQ1_M",
        32: "BF16",
        33: "Q4_0_4_4",
        34: "Q4_0_4_8",
        35: "Q4_0_8_8",
        36: "TQ1_0",
        37: "TQ2_0",
        38: "MXFP4_MOE",
        39: "NVFP4",
        40: "Q1_0",
        41: "Q2_0",
    }
)
"""The quantisation of each number that `general.file_type` of a GGUF file may hold."""

NEEDS_MATRIX = frozenset({"IQ3_XXS", "IQ3_XS", "Q2_K_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"})
"""Quantisations that llama.cpp refuses to make without an importance matrix (tensor_requires_imatrix)."""

_ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4": "MXFP4_MOE", "FP16": "F16", "FP32": "F32"}


def canonical(name: str) -> str:
    """Return the name in QUANTIZATIONS for `name`, whatever the case; Q4_K means Q4_K_M. Raises UnknownName."""
    asked = name.upper().replace("-", "_")
    found = _ALIASES.get(asked, asked)
    if found not in _DEFAULT:
        raise unknown(say("quantisation"), name, QUANTIZATIONS, choices=True)
    return found
