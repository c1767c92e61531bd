"""Bytes that layers keep between tokens: keys and values, latent vectors, indexers, recurrent states."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import round_up
from gyakusan.core.dtypes import DType, dtype
from gyakusan.core.model import Attention, Indexer, Latent, Recurrent

F32 = dtype("F32")


def padded(kind: DType, width: Number, rows: Number, align: int, columns: int) -> Number:
    """One tensor of `rows` rows of `width` values in a device buffer. [B]

    columns: quantised rows are padded to this many values once for each tensor (CUDA 512, CPU 1); align [B].
    Source: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu, ggml_backend_cuda_buffer_type_get_alloc_size.
    """
    size = kind.row(width) * rows
    rest = width % columns
    if kind.quantized and rest:
        size = size + kind.row(columns - rest)
    return round_up(size, align)


@dataclass(frozen=True, slots=True)
class Padding:
    """How a device rounds a buffer up. align: of each tensor [B]; columns: of quantised rows [values]."""

    align: int
    columns: int


def kv_cache(
    group: Attention | Latent | Indexer,
    rows: Number,
    key_type: DType,
    value_type: DType,
    padding: Padding,
    value_width: int | None = None,
) -> Number:
    """Keys and values of one group of layers. [B] One tensor of each for every layer.

    rows: tokens held in all streams together [tokens]; value_width: width that values are padded to [values].
    Source: llama.cpp b11434, src/llama-kv-cache.cpp, llama_kv_cache::llama_kv_cache.
    """
    size = padded(key_type, group.key, rows, padding.align, padding.columns)
    if group.value:
        width = value_width or group.value
        size = size + padded(value_type, width, rows, padding.align, padding.columns)
    return len(group.layers) * size


def recurrent_state(group: Recurrent, sequences: Number, padding: Padding) -> Number:
    """States of one group of layers, in f32. [B] sequences: conversations that have one each.

    Source: llama.cpp b11434, src/llama-memory-recurrent.cpp, llama_memory_recurrent::llama_memory_recurrent.
    """
    sizes = (
        padded(F32, width, sequences, padding.align, padding.columns) for width in (group.convolution, group.state)
    )
    return len(group.layers) * sum(sizes)
