"""Scratch: the compute buffers that llama.cpp reserves for its largest graph, on the CPU, or on one GPU and the host.

Source: llama.cpp b11434, src/llama-context.cpp (sched_reserve), ggml/src/ggml-alloc.c, ggml/src/ggml-backend.cpp, src/models/*.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.broadcast import Number, most
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.scratch_inputs import F32, inputs, tokens
from gyakusan.engines.llamacpp.scratch_peaks import PEAKS, work
from gyakusan.engines.llamacpp.settings import Settings


@dataclass(frozen=True, slots=True)
class Scratch:
    """Compute buffers. gpu: on the GPU, 0 on the CPU backend; host: in RAM, pinned if there is a GPU. [B]"""

    gpu: Number
    host: Number


def scratch(model: Model, settings: Settings) -> Scratch:
    """Compute buffers. [B] Every number in `settings` may be an array; shapes broadcast."""
    w = work(model, settings)
    size = w.base + most(*(peak(w) for peak in PEAKS))
    return Scratch(size, _host(model, settings)) if w.cuda else Scratch(0, size)


def binding(model: Model, settings: Settings) -> str:
    """Name of the peak that decides, for scalar settings."""
    w = work(model, settings)
    return max(PEAKS, key=lambda peak: int(peak(w))).__name__


def spread(model: Model, settings: Settings) -> tuple[float, float]:
    """Relative factors between which the real size lies. (1, 1) where the formula is exact."""
    return 1.0, 1.0


def _host(model: Model, s: Settings) -> Number:
    """Inputs, and the token vectors: looked up, given, and both again for mixed batches. [B]"""
    return inputs(model, s).host + F32 * tokens(s) * 4 * model.embedding
