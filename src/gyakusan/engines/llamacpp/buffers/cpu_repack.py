"""Weights on a CPU that are laid out anew for its vector units, and what stays mapped from the file.

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
from gyakusan.engines.llamacpp.buffers.weights import resident, stored, weights
from gyakusan.engines.llamacpp.settings import Settings

ALIGN = 32
"""Tensors start at multiples of this in a file. [B]"""

ROWS: Mapping[Simd, Mapping[str, int]] = {
    "none": {},
    "avx2": {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8},
    "avx512": {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8, "Q2_K": 8},
    "neon": {"Q4_0": 4, "Q4_K": 8, "Q5_K": 8, "Q6_K": 8, "IQ4_NL": 4, "MXFP4": 4, "Q8_0": 4, "Q1_0": 4},
}
"""Element types that are repacked, and the number that their rows must be a multiple of. neon: with dot products."""


def repacks(tensor: Tensor, simd: Simd, model: Model) -> bool:
    """True if the CPU multiplies by a repacked copy of this tensor: a matrix, or experts; never a table of rows."""
    rows = ROWS[simd].get(tensor.type)
    if rows is None or tensor.name in model.tables or len(tensor.shape) < 2:
        return False
    dimensions = sum(n > 1 for n in tensor.shape[1:]) + 1
    return tensor.shape[1] % rows == 0 and dimensions == (3 if "_exps" in tensor.name else 2)


_REPACKED = Memo[int](maxsize=4)
_MAPPED = Memo[int](maxsize=4)


def repacked(model: Model, simd: Simd) -> int:
    """Bytes of the repacked copies. [B]"""
    return _REPACKED.get(model, simd, lambda: sum(stored(t, "cpu") for t in resident(model) if repacks(t, simd, model)))


def mapped(model: Model, simd: Simd) -> int:
    """Bytes of the file that stay mapped: from the first tensor that is used in place to the last. [B]"""
    return _MAPPED.get(model, simd, lambda: _mapped(model, simd))


def _mapped(model: Model, simd: Simd) -> int:
    here = {t.name for t in resident(model) if not repacks(t, simd, model)}
    first, last, at = None, 0, 0
    for tensor in model.tensors:
        if tensor.name in here:
            first = at if first is None else first
            last = at + tensor.bytes
        at += round_up(tensor.bytes, ALIGN)
    return last - (first or 0)


def in_ram(model: Model, settings: Settings) -> int:
    """Weights in RAM on the CPU backend: mapped part and repacked copies, or each tensor once if nothing is mapped. [B]"""
    if not settings.mmap:
        return weights(model, settings).host
    simd: Simd = settings.simd if settings.repack else "none"
    return mapped(model, simd) + repacked(model, simd)
