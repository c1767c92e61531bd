"""Element types: values in a block, and bytes that a block takes.

Source: llama.cpp b11434, ggml/include/ggml.h (numbers) and ggml/src/ggml-common.h (block structs); safetensors 0.6 dtypes.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import overload

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.errors import unknown
from gyakusan.message import say


class DType(Struct, frozen=True):
    """One element type of tensors.

    name: as ggml or safetensors writes it
    block: values that share a block [values]
    size: size of a block [B]
    code: its number in GGUF files, -1 if it has none
    """

    name: str
    block: int
    size: int
    code: int = -1

    @property
    def quantized(self) -> bool:
        """Return True if several values share a block."""
        return self.block > 1

    @property
    def bits(self) -> float:
        """Return the bits of one value, scales included [bits]."""
        return 8 * self.size / self.block

    @overload
    def row(self, values: int) -> int: ...
    @overload
    def row(self, values: Number) -> Number: ...
    def row(self, values: Number) -> Number:
        """Return the bytes of a row of `values` values, which must be whole blocks [B]."""
        return values // self.block * self.size


_GGML = (
    DType("F32", 1, 4, 0),
    DType("F16", 1, 2, 1),
    DType("Q4_0", 32, 18, 2),
    DType("Q4_1", 32, 20, 3),
    DType("Q5_0", 32, 22, 6),
    DType("Q5_1", 32, 24, 7),
    DType("Q8_0", 32, 34, 8),
    DType("Q8_1", 32, 36, 9),
    DType("Q2_K", 256, 84, 10),
    DType("Q3_K", 256, 110, 11),
    DType("Q4_K", 256, 144, 12),
    DType("Q5_K", 256, 176, 13),
    DType("Q6_K", 256, 210, 14),
    DType("Q8_K", 256, 292, 15),
    DType("IQ2_XXS", 256, 66, 16),
    DType("IQ2_XS", 256, 74, 17),
    DType("IQ3_XXS", 256, 98, 18),
    DType("IQ1_S", 256, 50, 19),
    DType("IQ4_NL", 32, 18, 20),
    DType("IQ3_S", 256, 110, 21),
    DType("IQ2_S", 256, 82, 22),
    DType("IQ4_XS", 256, 136, 23),
    DType("I8", 1, 1, 24),
    DType("I16", 1, 2, 25),
    DType("I32", 1, 4, 26),
    DType("I64", 1, 8, 27),
    DType("F64", 1, 8, 28),
    DType("IQ1_M", 256, 56, 29),
    DType("BF16", 1, 2, 30),
    DType("TQ1_0", 256, 54, 34),
    DType("TQ2_0", 256, 66, 35),
    DType("MXFP4", 32, 17, 39),
    DType("NVFP4", 64, 36, 40),
    DType("Q1_0", 128, 18, 41),
    DType("Q2_0", 64, 18, 42),
)
_OTHER = (
    DType("F8_E4M3", 1, 1),
    DType("F8_E5M2", 1, 1),
    DType("F8_E8M0", 1, 1),
    DType("U8", 1, 1),
    DType("U16", 1, 2),
    DType("U32", 1, 4),
    DType("U64", 1, 8),
    DType("BOOL", 1, 1),
)
DTYPES = {d.name: d for d in _GGML + _OTHER}
"""Every known element type by name."""
BY_CODE = {d.code: d for d in _GGML}
"""The ggml types by their number in a GGUF file."""
CACHE_TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "IQ4_NL", "Q5_0", "Q5_1")
"""Types that llama.cpp accepts for --cache-type-k and --cache-type-v. b11434, common/arg.cpp"""


def dtype(name: str) -> DType:
    """Return the element type called `name`, whatever the case. Raises UnknownName."""
    found = DTYPES.get(name) or DTYPES.get(name.upper())
    if found is None:
        raise unknown(say("element type"), name, DTYPES)
    return found


@lru_cache(maxsize=65536)
def stored_bytes(type: str, shape: tuple[int, ...]) -> int:  # noqa: A002
    """Return the bytes of elements of a type, without padding [B]. The blocks of a model have the same shapes."""
    return dtype(type).row(prod(shape))
