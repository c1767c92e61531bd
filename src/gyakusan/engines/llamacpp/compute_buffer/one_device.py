"""Scratch: the compute buffers that llama.cpp reserves for its largest graph, on the CPU, or on one GPU and the host.

Source: llama.cpp b11434, src/llama-context.cpp (sched_reserve), ggml/src/ggml-alloc.c, ggml-backend.cpp, src/models/*.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, where
from gyakusan.core.model import Compressed, Experts, Indexer, Model, Recurrent
from gyakusan.engines.llamacpp.compute_buffer.inputs import ALIGN, inputs, off_device
from gyakusan.engines.llamacpp.compute_buffer.llama_bench_cpu import replayed, replays
from gyakusan.engines.llamacpp.compute_buffer.peak_dense import (
    Work,
    attention,
    compressed,
    experts,
    feed_forward,
    logits,
    work,
)
from gyakusan.engines.llamacpp.compute_buffer.peak_encoder import masks, with_scores
from gyakusan.engines.llamacpp.compute_buffer.peak_mla_sparse import blocks, latent, selected
from gyakusan.engines.llamacpp.compute_buffer.peak_recurrent import recurrent, scan_on_host
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


def compute_buffer(model: Model, settings: Settings) -> Scratch:
    """Compute buffers. [B] Every number in `settings` may be an array; shapes broadcast."""
    if replays(model, settings):
        return Scratch(0, replayed(model, settings))
    w = _work(model, settings)
    size = w.base + maximum(*(peak(w) for peak in PEAKS))
    if model.graph.encoder:
        size = with_scores(model, settings, size)
        return Scratch(size, _host(w) + masks(model, settings)) if w.cuda else Scratch(0, size)
    return Scratch(size, _host(w)) if w.cuda else Scratch(0, size)


def binding(model: Model, settings: Settings) -> str:
    """Name of the peak that decides, for scalar settings."""
    w = _work(model, settings)
    return max(PEAKS, key=lambda peak: int(peak(w))).__name__


def base(model: Model, settings: Settings) -> Number:
    """What lives through the whole graph: its inputs and the residual vectors. The binding peak stands on it. [B]"""
    return _work(model, settings).base


def spread(model: Model, settings: Settings) -> tuple[float, float]:
    """Relative factors between which the real size lies, (1, 1) where the formula is exact.

    As seen on 7,460 recorded and 8,300 fresh rows of the real allocator: the classes that are not always exact, widest first.
    Vulkan puts the graph's nodes in another order: as seen in 14 public logs.
    """
    kinds = {type(m) for m in model.memory}
    states = {m.kind for m in model.memory if isinstance(m, Recurrent)}
    bench = settings.outputs == "bench" and not replays(model, settings)
    classes = (
        (settings.stores == "vulkan", (0.82, 1.6)),
        (any(isinstance(m, Indexer) and m.value for m in model.memory) and settings.flash, (0.87, 1.23)),
        (Compressed in kinds or bool(off_device(model)), (0.82, 1.19)),
        (bench and "mamba" in states, (0.97, 1.17)),
        ("BF16" in (settings.key_type.upper(), settings.value_type.upper()), (0.88, 1.13)),
        (Indexer in kinds and settings.flash, (0.93, 1.02)),
        (model.graph.per_layer > 0, (0.97, 1.07)),
        (bool(states & {"mamba2", "gated_delta", "lightning"}), (0.95, 1.06)),
        (bench, (0.97, 1.06)),
        (bool(states & {"mamba", "kda"}), (0.98, 1.02)),
    )
    return next((factors for applies, factors in classes if applies), (1.0, 1.0))


def _work(model: Model, settings: Settings) -> Work:
    """The base, with what sparse attention keeps for all layers."""
    w = work(model, settings)
    kept = selected(w)
    return replace(w, base=w.base + kept, device=w.device + kept)


def _host(w: Work) -> Number:
    """Inputs, and the token vectors: looked up, given, and both again for mixed batches; per-layer embeddings. [B]"""
    model, s, graph = w.model, w.settings, w.model.graph
    held = inputs(model, s, w.tokens, ALIGN["cpu"], host=True)
    vectors = 5 if graph.per_layer else 4 if graph.mixed else 2
    size = held + w.wide(vectors * model.embedding + graph.per_layer)
    if graph.wide_down:
        return maximum(size, _down_on_host(w, held))
    return maximum(size, *(held + scan_on_host(w, m) for m in off_device(model)))


def _down_on_host(w: Work, held: Number) -> Number:
    """CUDA has no experts' product that sums in f32: one layer's matrix comes to the host, with its input and output. [B]

    Source: ggml-cuda.cu, ggml_backend_cuda_device_supports_op, GGML_OP_MUL_MAT_ID with GGML_PREC_F32.
    """
    mixed = next(f for f in w.model.feed_forward if isinstance(f, Experts))
    matrix = max((t.bytes for t in w.model.tensors if "ffn_down_exps" in t.name), default=0)
    up, down = w.wide(mixed.used * mixed.width), w.wide(mixed.used * w.model.embedding)
    one = w.wide(w.model.embedding)
    room = held + one
    rest = where(up <= room, room - up, room)
    return held + 2 * one + matrix + where(up <= room, 0, up) + where(down <= rest, 0, down)
