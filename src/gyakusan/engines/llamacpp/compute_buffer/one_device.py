"""The compute buffers that llama.cpp reserves for its largest graph: on the CPU, or on one GPU and the host.

Source: llama.cpp b11434, src/llama-context.cpp (sched_reserve), ggml/src/ggml-alloc.c, ggml-backend.cpp, src/models/*.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, where
from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Compressed, Experts, Indexer, Latent, Model, Recurrent
from gyakusan.engines.llamacpp import builds
from gyakusan.engines.llamacpp.backends import ALIGNMENT, F16, RECORDED_BACKENDS
from gyakusan.engines.llamacpp.buffers.flash_kernels import is_on_host, resolved
from gyakusan.engines.llamacpp.buffers.kernel_memory import copied_to_host
from gyakusan.engines.llamacpp.buffers.kv_cache import stream_cells
from gyakusan.engines.llamacpp.compute_buffer.base import Base, base_of
from gyakusan.engines.llamacpp.compute_buffer.inputs import inputs, scans_on_host
from gyakusan.engines.llamacpp.compute_buffer.peak_dense import attention, experts, feed_forward, logits
from gyakusan.engines.llamacpp.compute_buffer.peak_encoder import masks, with_masks_and_scores
from gyakusan.engines.llamacpp.compute_buffer.peak_mla_sparse import (
    block_attention,
    compressed_attention,
    latent_attention,
    sparse_selection,
    unfused_indexer,
)
from gyakusan.engines.llamacpp.compute_buffer.peak_recurrent import recurrent, scan_on_host
from gyakusan.engines.llamacpp.settings import Settings

PEAKS: Mapping[str, Callable[[Base], Number]] = {
    "feed_forward": feed_forward,
    "experts": experts,
    "attention": attention,
    "latent": latent_attention,
    "compressed": compressed_attention,
    "blocks": block_attention,
    "recurrent": recurrent,
    "logits": logits,
    "indexer": unfused_indexer,
}
"""Steps of the graph and the bytes that each needs above the base."""


_ROOM = 2**50
"""Free memory of a card on which everything lies. [B]"""
ON_HOST = (0.65, 1.5)
"""Factors where the CPU computes attention for a GPU: seen on made-up shapes, tests/truth/attention_kernels.jsonl.gz."""
INDEXER_KEY, INDEXER_HEADS = 128, (32, 64)
"""Width of an indexer's key [values] and numbers of its heads that CUDA has a fused kernel for."""
FEWER_VECTORS = 2
"""Residual vectors that a GPU's buffer lacked before batches mixed tokens and vectors."""


class ComputeBuffers(Struct, frozen=True):
    """The compute buffers of one graph. Every number may be an array.

    gpu: on the GPU, 0 on the CPU backend [B]
    host: in RAM, pinned if there is a GPU [B]
    """

    gpu: Number
    host: Number


def compute_buffer(model: Model, settings: Settings) -> ComputeBuffers:
    """Return the compute buffers. [B] Every number in `settings` may be an array; shapes broadcast."""
    settings = resolved(model, settings)
    built = builds.as_built(model, settings.build)
    if simulates(built, settings):
        return _simulated(built, settings)
    if built is not model and settings.backend == "cuda":
        return _before_mixing(model, built, settings)
    model = built
    base = _full_base(model, settings)
    if is_on_host(model, settings):
        return _attention_on_host(model, settings)
    size = base.bytes + maximum(*(peak(base) for peak in PEAKS.values()))
    if model.graph.encoder:
        size = with_masks_and_scores(model, settings, size)
        return ComputeBuffers(size, _host(base) + masks(model, settings)) if base.on_gpu else ComputeBuffers(0, size)
    return ComputeBuffers(size, _host(base)) if base.on_gpu else ComputeBuffers(0, size)


def _attention_on_host(model: Model, settings: Settings) -> ComputeBuffers:
    """Return the buffers where a GPU has no kernel, and the CPU computes attention: about, see range_factors [B].

    The GPU keeps neither mask nor copies of the cache; the host gets keys, values and queries of one layer.
    """
    layers = [m for m in model.memory if isinstance(m, (Attention, Latent))]
    base = _full_base(model, replace(settings, key_type="F16", value_type="F16"))
    mask = maximum(*(F16 * settings.graph_tokens * stream_cells(m, settings) for m in layers))
    size = base.bytes + maximum(*(peak(base) for peak in PEAKS.values())) - mask
    copies = maximum(*(copied_to_host(m, settings) for m in layers))
    return ComputeBuffers(size, _host(_full_base(model, settings)) + copies)


def _before_mixing(model: Model, built: Model, settings: Settings) -> ComputeBuffers:
    """Return the buffers of a GPU and its host before batches mixed tokens and vectors: two vectors less on the GPU [B].

    378.02 MiB were seen of Qwen3.8-27B under b10434's rules where there are 398.02 now, in 4 x 2 vectors of 2,048 tokens
    4,744.25 where there are 5,104.31. Metal's lists of experts come on top of the graph: never less than it takes without
    them. built: the model with the wiring of that build.
    """
    base, earlier = _full_base(model, settings), _full_base(built, settings)
    peaks = maximum(*(peak(base) for name, peak in PEAKS.items() if name != "logits"))
    size = maximum(base.bytes + peaks - FEWER_VECTORS * base.residual, earlier.bytes + logits(earlier))
    without_lists = replace(settings, driver="vulkan")
    if settings.allocation_rules == "metal" and simulates(built, without_lists):
        size = maximum(size, _simulated(built, without_lists).gpu)
    return ComputeBuffers(size, _host(earlier))


def _simulated(model: Model, settings: Settings) -> ComputeBuffers:
    """Return the buffers of a simulated graph on the CPU, or on one GPU that holds everything [B]."""
    from gyakusan.engines.llamacpp.ggml_simulation.model_graph import simulate
    from gyakusan.engines.llamacpp.placement.layer_assignment import place

    if settings.backend == "cpu":
        return ComputeBuffers(0, simulate(model, settings, place(model.blocks, settings, ())).host)
    alone = replace(
        settings, gpu_layers=-1, split_mode="none", tensor_split=(), main_gpu=0, overrides=(), n_cpu_moe=0, n_cpu_ffn=0,
        offload_kv=True,
    )  # fmt: skip
    found = simulate(model, alone, place(model.blocks, alone, (_ROOM,)))
    return ComputeBuffers(found.gpus[0], found.host)


def simulates(model: Model, settings: Settings) -> bool:
    """Return True if one device's graph is simulated: of every model whose graph and tensors are known.

    Which tensor finds a free block depends on all widths: on shapes that nobody fitted, closed forms were up to 98 % off
    (Mamba-2), 36 % (dense, experts) and 20 % (latent attention), and a simulation exact. A model of the planning table has
    no tensors: thousands of candidates are sifted by closed forms, and those that are shown are priced with their tensors.
    Metal's kernels keep lists of experts that the graph does not show.
    """
    if settings.allocation_rules == "metal" or not model.tensors or is_on_host(model, settings):
        return False
    from gyakusan.engines.llamacpp.ggml_simulation.model_graph import can_simulate

    return can_simulate(model, settings)


def largest_peak(model: Model, settings: Settings) -> tuple[str, int, int]:
    """Return the closed form's largest peak, a key of PEAKS, the bytes of the base below it, and both together [B].

    Scalars only. Where a graph is simulated, its size is another one if a tensor found a free block, or did not.
    """
    base = _full_base(model, resolved(model, settings))
    name = max(PEAKS, key=lambda peak: int(PEAKS[peak](base)))
    return name, int(base.bytes), int(base.bytes) + int(PEAKS[name](base))


def range_factors(model: Model, settings: Settings) -> tuple[float, float]:
    """Return the relative factors between which the real size is, (1, 1) where the formula is exact.

    As seen on 7,460 recorded and 8,300 fresh rows of the real allocator: the classes that are not always exact, widest first.
    Vulkan puts the graph's nodes in another order: as seen in 14 public logs. Earlier builds: as recorded of nine, on a CPU.
    """
    kinds = {type(m) for m in model.memory}
    states = {m.kind for m in model.memory if isinstance(m, Recurrent)}
    earlier = settings.of_build != builds.Rules() and settings.allocation_rules != "vulkan"
    recorded = settings.allocation_rules in ("cpu", *RECORDED_BACKENDS)
    settings = resolved(model, settings)
    every_logit = settings.outputs == "bench" and "gated_delta" in states
    if recorded and not every_logit and _is_read(settings) and simulates(model, settings):
        return (1.0, 1.0)
    bench = settings.outputs == "bench" and not simulates(model, settings)
    classes = (
        (earlier and dtype(settings.key_type).quantized, (0.9, 1.1)),
        (earlier and settings.of_build.all_logits, (0.96, 1.06)),
        (is_on_host(model, settings), ON_HOST),
        (not settings.flash and not settings.transposed, (0.78, 1.12)),
        (settings.allocation_rules == "vulkan", (0.82, 1.6)),
        (any(isinstance(m, Indexer) and m.value for m in model.memory) and settings.flash, (0.87, 1.23)),
        (Compressed in kinds, (0.75, 1.4)),
        (bool(scans_on_host(model)), (0.82, 1.19)),
        (not has_indexer_kernel(model), (0.65, 1.35)),
        (bench and "mamba" in states, (0.97, 1.17)),
        ("BF16" in settings.cache_types, (0.88, 1.13)),
        (Indexer in kinds and settings.flash, (0.78, 1.15)),
        (model.graph.per_layer > 0, (0.97, 1.07)),
        (bool(states & {"mamba2", "gated_delta", "lightning"}), (0.95, 1.06)),
        (bench, (0.97, 1.06)),
        (earlier, (0.97, 1.03)),
        (bool(states & {"mamba", "kda"}), (0.98, 1.02)),
    )
    return next((factors for applies, factors in classes if applies), (1.0, 1.0))


def _is_read(settings: Settings) -> bool:
    """Return True for a build whose graphs a simulation has to the byte: ours, and those before tokens and vectors were mixed.

    Seen of llama-server b11312 on a CPU: 21 of 21 graphs of seven models that nobody fitted, quantised caches too; without
    flash attention (no graph of which is simulated) up to 2.3 % off. What was otherwise in still earlier builds is no graph.
    """
    return settings.of_build in (builds.Rules(), builds.Rules(unmixed=True), builds.Rules(unmixed=True, one_batch=True))


def host_factors(model: Model, settings: Settings) -> tuple[float, float]:
    """Return the relative factors between which the host's side of a GPU's graph is, (1, 1) where the formula is exact."""
    if is_on_host(model, resolved(model, settings)):
        return ON_HOST
    if any(isinstance(m, Compressed) for m in model.memory):
        return (0.999, 1.001)
    return (1.0, 1.0) if settings.backend == "cpu" or has_indexer_kernel(model) else (1.0, 2.2)


def has_indexer_kernel(model: Model) -> bool:
    """Return False if an indexer's heads have no fused kernel: it wants 32 or 64 of 128 values. Unknown heads: True.

    Source: ggml-cuda/lightning-indexer.cu, ggml_cuda_lightning_indexer_supported.
    """
    indexer = next((m for m in model.memory if isinstance(m, Indexer) and not m.value), None)
    if indexer is None:
        return True
    weighed = next((t for t in model.tensors if t.name.endswith("indexer.proj.weight")), None)
    heads = weighed.shape[-1] if weighed is not None else INDEXER_HEADS[0]
    return indexer.key == INDEXER_KEY and heads in INDEXER_HEADS


def _full_base(model: Model, settings: Settings) -> Base:
    """Return the base, with what sparse attention keeps for all layers."""
    base = base_of(model, settings)
    selection = sparse_selection(base)
    return structs.replace(base, bytes=base.bytes + selection, inputs=base.inputs + selection)


def _host(base: Base) -> Number:
    """Return the host's side of a graph on a GPU: inputs and token vectors [B].

    Token vectors are looked up, given, and both again for mixed batches; per-layer embeddings come once more.
    """
    model, graph = base.model, base.model.graph
    filled = inputs(model, base.settings, ALIGNMENT["cpu"], host=True)
    vectors = 2 if not graph.mixed else 5 if graph.per_layer else 4
    size = filled + base.per_token(vectors * model.embedding + graph.per_layer)
    if graph.wide_down:
        return maximum(size, filled + _down_projection_on_host(base, filled))
    return maximum(size, *(filled + scan_on_host(base, m) for m in scans_on_host(model)))


def _down_projection_on_host(base: Base, filled: Number) -> Number:
    """Return one layer's down projection of experts, with its input and output, for models that sum it in f32 [B].

    CUDA has no product of experts that sums in f32, so that its matrix comes to the host. filled: inputs of the graph [B].
    Source: ggml-cuda.cu, ggml_backend_cuda_device_supports_op, GGML_OP_MUL_MAT_ID with GGML_PREC_F32.
    """
    mixed = next(f for f in base.model.feed_forward if isinstance(f, Experts))
    matrix = max((t.bytes for t in base.model.tensors if "ffn_down_exps" in t.name), default=0)
    up, down, one = base.per_token(mixed.used * mixed.width), mixed.used * base.residual, base.residual
    free_block = filled + one
    left = where(up <= free_block, free_block - up, free_block)
    return 2 * one + matrix + where(up <= free_block, 0, up) + where(down <= left, 0, down)
