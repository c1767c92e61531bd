"""What drives the GPUs: how each backend rounds buffers up, and what its attention keeps beside the result.

Source: llama.cpp b11434, get_alignment and get_alloc_size of the buffer types in ggml/src: ggml-cpu, ggml-cuda (ROCm is
compiled from it), ggml-sycl, ggml-metal/ggml-metal.cpp, ggml-vulkan/ggml-vulkan.cpp.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, get_args

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, minimum, round_up
from gyakusan.core.cache import Padding
from gyakusan.core.machine import Machine
from gyakusan.core.model import Attention, Latent

GpuBackend = Literal["cuda", "rocm", "metal", "vulkan", "sycl"]
DRIVERS: tuple[GpuBackend, ...] = get_args(GpuBackend)
ROWS = Padding(128, 512)
"""CUDA and its likes: MATRIX_ROW_PADDING."""
PADDING = MappingProxyType(
    {
        "cpu": Padding(32, 1),
        "cuda": ROWS,
        "rocm": ROWS,
        "sycl": ROWS,
        "metal": Padding(32, 1),
        "vulkan": Padding(16, 1),
    }
)
"""How each rounds a tensor up. Vulkan: minStorageBufferOffsetAlignment, which the driver chooses: 4 (RADV), 16 (NVIDIA); 64 or
more are allowed. Rows of weights are multiples of 16 B nearly always, so that the choice shows in a few bytes."""
COPYING = ("cuda", "rocm", "sycl")
"""Flash attention reads f16: a cache of another type is copied into the result's buffer first."""
WORKGROUPS = 32
WIDE_TILE, LONG_TILE = 64, 8
"""Cells and tokens of one step of Metal's attention. ggml-metal-impl.h, OP_FLASH_ATTN_EXT_NCPSG and _NQPSG."""
F16, F32 = 2, 4


def backend_of(machine: Machine) -> GpuBackend:
    """What drives a machine's GPUs, the first for all."""
    name = machine.gpus[0].backend if machine.gpus else "cuda"
    return next((d for d in DRIVERS if d == name), "cuda")


def same_allocation_key(name: GpuBackend, kind: str) -> tuple[object, ...]:
    """Equal for drivers under which a model takes the same cache and compute buffers. kind: of the cache.

    Rows of F16 need no padding, and no copy: only Metal keeps something of its own then
    (tests/planning/candidates/test_model_table.py).
    """
    return (name == "metal",) if kind == "F16" else (PADDING[name], name in COPYING, name == "metal")


def metal_room(
    m: Attention | Latent, tokens: Number, cells: Number, streams: Number, strides: tuple[Number, Number]
) -> Number:
    """What Metal reserves behind the result of attention, whatever the type of the cache. [B]

    An f16 copy of one layer's keys and values, results of the workgroups, the last tile once more, a map of the mask.
    tokens: of the graph; cells: of one stream [tokens]; strides: from one token's keys, values to the next [B].
    Source: ggml-metal-ops.cpp, ggml_metal_op_flash_attn_ext_extra_{kv_f16,tmp,pad,blk}.
    """
    each = ceil_div(tokens, streams)
    copy = F16 * cells * streams * (m.key + m.value)
    results = F32 * minimum(each, WORKGROUPS) * m.heads * streams * WORKGROUPS * (m.value_head + 2)
    heads = m.key // m.key_head if isinstance(m, Attention) else 1
    tile = WIDE_TILE * streams * (heads * sum(strides) + F16 * each)
    return copy + results + tile + round_up(ceil_div(cells, WIDE_TILE) * ceil_div(each, LONG_TILE) * streams, 32)


def metal_lists(experts: int, tokens: Number) -> Number:
    """Lists of tokens by expert that two products keep at once, gate's and up's. [B]

    Source: ggml-metal-ops.cpp, ggml_metal_op_mul_mat_id_extra_{tpe,ids}.
    """
    return 2 * F32 * experts * (tokens + 1)
