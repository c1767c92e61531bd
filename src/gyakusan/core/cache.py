"""Bytes of KV caches and recurrent states, by the rules of llama.cpp's buffers."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import round_up
from gyakusan.core.dtypes import DType, dtype
from gyakusan.core.model import Attention, Indexer, Latent, Recurrent

F32 = dtype("F32")


def padded(kind: DType, width: Number, rows: Number, align: int, columns: int) -> Number:
    """Return the bytes of one tensor in a device buffer [B].

    kind: element type; width: of one row [values]; rows: number of rows
    align: what the size is rounded up to [B]
    columns: values to which the last row of a quantised tensor is padded: 512 for CUDA, 1 for a CPU [values]
    Source: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu, ggml_backend_cuda_buffer_type_get_alloc_size.
    """
    size = kind.row(width) * rows
    rest = width % columns
    if kind.quantized and rest:
        size = size + kind.row(columns - rest)
    return round_up(size, align)


class Padding(Struct, frozen=True):
    """How a device rounds the size of a tensor up.

    align: multiple of the size [B]
    columns: multiple of a quantised row's width [values]
    """

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
    """Return the bytes of keys and values of one group of layers: one tensor of each for every layer [B].

    rows: tokens that all streams hold together [tokens]
    key_type, value_type: element types; padding: of the device
    value_width: width that values are padded to, None = their own [values]
    Source: llama.cpp b11434, src/llama-kv-cache.cpp, llama_kv_cache::llama_kv_cache.
    """
    size = padded(key_type, group.key, rows, padding.align, padding.columns)
    if group.value:
        width = value_width or group.value
        size = size + padded(value_type, width, rows, padding.align, padding.columns)
    return len(group.layers) * size


def recurrent_state(group: Recurrent, sequences: Number, padding: Padding) -> Number:
    """Return the bytes of the states of one group of layers, in f32 [B].

    sequences: conversations, each with a state of its own; padding: of the device
    Source: llama.cpp b11434, src/llama-memory-recurrent.cpp, llama_memory_recurrent::llama_memory_recurrent.
    """
    sizes = (
        padded(F32, width, sequences, padding.align, padding.columns) for width in (group.convolution, group.state)
    )
    return len(group.layers) * sum(sizes)
