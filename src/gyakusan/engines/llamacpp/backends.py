"""ggml's backends: how each rounds tensors up, and how wide the values are that it computes with.

Source: llama.cpp b11434, get_alignment and get_alloc_size of the buffer types in ggml/src: ggml-cpu, ggml-cuda (ROCm is
compiled from it), ggml-sycl, ggml-metal/ggml-metal.cpp, ggml-vulkan/ggml-vulkan.cpp.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, get_args

from gyakusan.core.cache import Padding
from gyakusan.core.machine import Machine

GpuBackend = Literal["cuda", "rocm", "metal", "vulkan", "sycl"]
GPU_BACKENDS: tuple[GpuBackend, ...] = get_args(GpuBackend)
F16, F32, I32, I64 = 2, 4, 4, 8
"""Bytes of one value. [B]"""
_MATRIX_ROWS = Padding(128, 512)
"""Quantised rows are padded to MATRIX_ROW_PADDING = 512 values. ggml-cuda/common.cuh."""
PADDING = MappingProxyType(
    {
        "cpu": Padding(32, 1),
        "cuda": _MATRIX_ROWS,
        "rocm": _MATRIX_ROWS,
        "sycl": _MATRIX_ROWS,
        "metal": Padding(32, 1),
        "vulkan": Padding(16, 1),
    }
)
"""How each backend rounds a tensor up. Vulkan's alignment is minStorageBufferOffsetAlignment, which the driver chooses: 4
(RADV), 16 (NVIDIA); 64 or more are allowed. Rows of weights are nearly always multiples of 16 B, so that the choice shows
in a few bytes."""
ALIGNMENT = MappingProxyType({"cpu": 32, "cuda": 128})
"""In a compute buffer, tensors start at multiples of this, by `Settings.backend`. [B]"""
READS_F16_CACHE = ("cuda", "rocm", "sycl")
"""Backends whose flash attention reads f16: a cache of another type is first copied into the result's buffer."""


def backend_of(machine: Machine) -> GpuBackend:
    """Return the backend that drives a machine's first GPU, "cuda" if there is none."""
    name = machine.gpus[0].backend if machine.gpus else "cuda"
    return next((backend for backend in GPU_BACKENDS if backend == name), "cuda")


def same_allocation_key(name: GpuBackend, cache_type: str) -> tuple[object, ...]:
    """Return a key that is equal for backends under which a model takes the same cache and compute buffers.

    Rows of an F16 cache need no padding and no copy: then only the kernels of flash attention differ, whose heads CUDA and
    ROCm share (tests/planning/candidates/test_model_table.py).
    """
    kernels = (name == "metal", name in ("cuda", "rocm"))
    return kernels if cache_type == "F16" else (PADDING[name], name in READS_F16_CACHE, *kernels)


RECORDED_BACKENDS = ("cuda", "rocm")
"""Backends whose compute buffers were recorded."""
CUDA_SCAN_STATES = MappingProxyType({"mamba": (16,), "mamba2": (96, 128, 256)})
"""State sizes that CUDA's scans know. [values]"""
