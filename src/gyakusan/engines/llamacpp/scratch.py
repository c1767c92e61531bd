"""Scratch: the compute buffers that llama.cpp reserves for its largest graph, on the CPU, or on one GPU and the host.

Source: llama.cpp b11434, src/llama-context.cpp (sched_reserve), ggml/src/ggml-alloc.c, ggml/src/ggml-backend.cpp, src/models/*.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gyakusan.core.broadcast import Number, most, where
from gyakusan.core.model import Experts, Model
from gyakusan.engines.llamacpp.scratch_inputs import F32, inputs, off_device, tokens
from gyakusan.engines.llamacpp.scratch_peaks import Work, attention, compressed, experts, feed_forward, logits, work
from gyakusan.engines.llamacpp.scratch_recurrent import recurrent, scan_on_host
from gyakusan.engines.llamacpp.scratch_replay import replayed, replays
from gyakusan.engines.llamacpp.scratch_sparse import blocks, latent, selected
from gyakusan.engines.llamacpp.settings import Settings

PEAKS: tuple[Callable[[Work], Number], ...] = (
    feed_forward,
    experts,
    attention,
    latent,
    compressed,
    blocks,
    recurrent,
    logits,
)


@dataclass(frozen=True, slots=True)
class Scratch:
    """Compute buffers. gpu: on the GPU, 0 on the CPU backend; host: in RAM, pinned if there is a GPU. [B]"""

    gpu: Number
    host: Number


def scratch(model: Model, settings: Settings) -> Scratch:
    """Compute buffers. [B] Every number in `settings` may be an array; shapes broadcast."""
    if replays(model, settings):
        return Scratch(0, replayed(model, settings))
    w = _work(model, settings)
    size = w.base + most(*(peak(w) for peak in PEAKS))
    return Scratch(size, _host(model, settings)) if w.cuda else Scratch(0, size)


def binding(model: Model, settings: Settings) -> str:
    """Name of the peak that decides, for scalar settings."""
    w = _work(model, settings)
    return max(PEAKS, key=lambda peak: int(peak(w))).__name__


def spread(model: Model, settings: Settings) -> tuple[float, float]:
    """Relative factors between which the real size lies. (1, 1) where the formula is exact."""
    return 1.0, 1.0


def _work(model: Model, settings: Settings) -> Work:
    """The base, with what sparse attention keeps for all layers."""
    w = work(model, settings)
    kept = selected(w)
    return replace(w, base=w.base + kept, device=w.device + kept)


def _host(model: Model, s: Settings) -> Number:
    """Inputs, and the token vectors: looked up, given, and both again for mixed batches; per-layer embeddings. [B]"""
    held, graph = inputs(model, s).host, model.graph
    vectors = 4 if graph.mixed else 2
    if graph.per_layer:
        vectors = 5
    size = held + F32 * tokens(s) * (vectors * model.embedding + graph.per_layer)
    if graph.wide_down:
        return most(size, _down_on_host(model, s, held))
    return most(size, *(held + scan_on_host(m, s, model.embedding) for m in off_device(model)))


def _down_on_host(model: Model, s: Settings, held: Number) -> Number:
    """CUDA has no experts' product that sums in f32: one layer's matrix comes to the host, with its input and output. [B]

    Source: ggml-cuda.cu, ggml_backend_cuda_device_supports_op, GGML_OP_MUL_MAT_ID with GGML_PREC_F32.
    """
    mixed = next(f for f in model.feed_forward if isinstance(f, Experts))
    matrix = max((t.bytes for t in model.tensors if "ffn_down_exps" in t.name), default=0)
    t, e = tokens(s), model.embedding
    up, down = F32 * t * mixed.used * mixed.width, F32 * t * mixed.used * e
    room = held + F32 * t * e
    rest = where(up <= room, room - up, room)
    return held + F32 * t * 2 * e + matrix + where(up <= room, 0, up) + where(down <= rest, 0, down)
