"""Weights on a CPU that are copied into another layout for its vector units, and what stays mapped from the file.

A repacked tensor is a copy: with a mapped file it takes RAM twice, once in the page cache and once repacked.
Source: llama.cpp b11434, ggml/src/ggml-cpu/repack.cpp (ggml_repack_get_optimal_repack_type, supports_op),
src/llama-model-loader.cpp (get_mapping_range), src/llama-model.cpp (load_tensors).
"""

from __future__ import annotations

from collections.abc import Mapping

from gyakusan.core.broadcast import round_up
from gyakusan.core.machine import Simd
from gyakusan.core.memo import Memo
from gyakusan.core.model import Model, Tensor
from gyakusan.engines.llamacpp.buffers.weights import loaded, stored, weights
from gyakusan.engines.llamacpp.settings import Settings

FILE_ALIGNMENT = 32
"""Tensors start at multiples of this in a file. [B]"""
ROWS: Mapping[Simd, Mapping[str, int]] = {
    "none": {},
    "avx2": {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8},
    "avx512": {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8, "Q2_K": 8},
    "neon": {"Q4_0": 4, "Q4_K": 8, "Q5_K": 8, "Q6_K": 8, "IQ4_NL": 4, "MXFP4": 4, "Q8_0": 4, "Q1_0": 4},
}
"""Element types that are repacked, and the number that their rows must be a multiple of. neon: with dot products."""
_REPACKED = Memo[int](maxsize=4)
_MAPPED = Memo[int](maxsize=4)


def is_repacked(tensor: Tensor, simd: Simd, model: Model) -> bool:
    """Return True if the CPU multiplies by a repacked copy: of a matrix or of experts, never of a table of rows."""
    rows = ROWS[simd].get(tensor.type)
    if rows is None or tensor.name in model.tables or len(tensor.shape) < 2:
        return False
    dimensions = sum(n > 1 for n in tensor.shape[1:]) + 1
    return tensor.shape[1] % rows == 0 and dimensions == (3 if "_exps" in tensor.name else 2)


def repacked(model: Model, simd: Simd) -> int:
    """Return the bytes of the repacked copies [B]."""
    copies = (stored(t, "cpu") for t in loaded(model) if is_repacked(t, simd, model))
    return _REPACKED.get(model, simd, lambda: sum(copies))


def mapped(model: Model, simd: Simd) -> int:
    """Return the bytes of the file that stay mapped: from the first tensor that is used in place to the last [B]."""
    return _MAPPED.get(model, simd, lambda: _mapped(model, simd))


def _mapped(model: Model, simd: Simd) -> int:
    in_place = {t.name for t in loaded(model) if not is_repacked(t, simd, model)}
    first, last, at = None, 0, 0
    for tensor in model.tensors:
        if tensor.name in in_place:
            first = at if first is None else first
            last = at + tensor.bytes
        at += round_up(tensor.bytes, FILE_ALIGNMENT)
    return last - (first or 0)


def repacks_for(settings: Settings) -> Simd:
    """Return the vector units that weights are repacked for, "none" if repacking is off."""
    return settings.simd if settings.repack else "none"


def in_ram(model: Model, settings: Settings) -> int:
    """Return the weights in RAM on the CPU backend: the mapped part and copies, or each tensor once if not mapped [B]."""
    if not settings.mmap:
        return weights(model, settings).host
    simd = repacks_for(settings)
    return mapped(model, simd) + repacked(model, simd)
