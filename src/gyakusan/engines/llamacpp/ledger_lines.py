"""Lines of a ledger: each buffer of llama.cpp with its reason and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum, minimum
from gyakusan.core.dtypes import dtype
from gyakusan.core.ledger import Line, memory_part
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent, Tensor
from gyakusan.engines.llamacpp import builds
from gyakusan.engines.llamacpp.backends import F32
from gyakusan.engines.llamacpp.buffers import kernel_memory
from gyakusan.engines.llamacpp.buffers.cpu_repack import mapped
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.compute_buffer import one_device
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import Message, say
from gyakusan.units import format_bytes

PEAK_TEXTS = {
    "feed_forward": "the feed-forward network",
    "experts": "the experts",
    "attention": "attention",
    "latent": "latent attention",
    "compressed": "compressed attention",
    "blocks": "block-sparse attention",
    "recurrent": "the recurrent layers",
    "logits": "the logits",
    "indexer": "the indexer's scores",
}
"""Names of the peaks of a compute buffer as people read them."""
_COUNTS = Memo[tuple[int, str]](maxsize=2)


def weights(size: Number, model: Model, tensors: Sequence[Tensor] | None = None) -> Line:
    """Return the line of all weights on one device. size [B]; tensors: those there, None = all of the model."""
    count, mix = _COUNTS.get(model, "all", lambda: _count(model.tensors)) if tensors is None else _count(tensors)
    return _weights(size, model, count, mix)


def gpu_weights(size: Number, model: Model) -> Line:
    """Return the line of all weights except the tables of rows, on one GPU. size [B] Counted once for a model."""
    count, mix = _COUNTS.get(model, "gpu", lambda: _count([t for t in model.tensors if t.name not in model.tables]))
    return _weights(size, model, count, mix)


def _weights(size: Number, model: Model, count: int, mix: str) -> Line:
    reason = say("{n} tensors, {quantization}", n=count, quantization=model.quantization)
    return Line("weights", size, "derived", reason, mix)


def mapped_file(model: Model, lazy: int) -> Line:
    """Return the line of a file that Metal maps, embedding table included: a tied output is the same pages.

    lazy: bytes of it that need not be in memory [B].
    Source: llama.cpp b11434, src/llama-model.cpp (load_tensors, buffer_from_host_ptr), llama_model_loader::get_mapping_range.
    """
    line = weights(mapped(model, "none"), model)
    line = structs.replace(line, low=line.bytes - lazy)
    return structs.replace(line, reason=say("{n} tensors, {quantization}, mapped", **line.reason.facts))


def embedding_tables(size: Number, lazy: int) -> tuple[Line, ...]:
    """Return the lines of embedding tables in RAM. size: of all [B]; lazy: of those whose rows in use alone are read [B]."""
    table = Line("weights.embedding", size - lazy, "derived", say("stays in RAM"))
    return (table, *per_layer_embeddings(lazy))


def per_layer_embeddings(lazy: int) -> tuple[Line, ...]:
    """Return the line of per-layer embeddings that are read from disk: it grows with the rows in use. lazy: all rows [B]."""
    if not lazy:
        return ()
    reason = say(
        "per-layer embeddings stay on disk ({size}); used rows are cached (--lazy-mode)", size=format_bytes(lazy)
    )
    return (Line("weights.per_layer", 0, "derived", reason, low=0, high=lazy, grows=True),)


def repacked(size: Number, simd: str) -> Line:
    """Return the line of copies of matrices in the layout that the CPU multiplies fastest; size [B]."""
    return Line(
        "weights.repacked",
        size,
        "derived",
        say("for {simd}; --no-repack avoids it", simd=simd.upper()),
    )


def _count(tensors: Sequence[Tensor]) -> tuple[int, str]:
    """Return the number of tensors, and their values by element type as text, most first."""
    values: dict[str, int] = {}
    for t in tensors:
        values[t.type] = values.get(t.type, 0) + t.values
    parts = sorted(values.items(), key=lambda item: -item[1])
    return len(tensors), " + ".join(f"{n / 1e9:.3f}e9 x {dtype(k).bits:g}/8 B ({k})" for k, n in parts)


def context(groups: Sequence[CacheGroup], settings: Settings) -> tuple[Line, ...]:
    """Return one line for each group of layers that keeps something."""
    return tuple(
        Line(memory_part(g.memory), g.bytes, "derived", _cache_reason(g.memory), _cache_formula(g, settings))
        for g in groups
    )


def _cache_reason(memory: Memory) -> Message:
    facts: Mapping[str, Any] = {"n": len(memory.layers)}
    match memory:
        case Recurrent():
            return say("{n} layers, a state for each person", **facts)
        case Indexer():
            return say("{n} layers, an index of keys", **facts)
        case Compressed():
            return say("{n} layers, compressed keys", **facts)
        case Latent():
            return say("{n} layers, a vector for each token", **facts)
        case Attention(window=None):
            return say("{n} layers, every token", **facts)
        case _:
            return say("{n} layers, last {window} tokens", window=memory.window, **facts)


def _cache_formula(group: CacheGroup, settings: Settings) -> str:
    memory = group.memory
    if is_array(group.cells, group.streams, settings.slots):
        return ""
    if isinstance(memory, Recurrent):
        values = memory.convolution + memory.state
        return f"{len(memory.layers)} layers x {settings.slots} users x {values:,} values x {F32} B"
    cells = f"{len(memory.layers)} layers x {group.streams} x {group.cells:,} cells"
    row = f"{memory.key:,} {settings.key_type}"
    value = getattr(memory, "value", 0)
    if value:
        row += f" + {value:,} {settings.value_type}"
    return f"{cells} x ({row})"


def compute(size: Number, model: Model, settings: Settings) -> Line:
    """Return the line of the compute buffer of the device that computes; size [B]."""
    low, high = one_device.range_factors(model, settings)
    reason, formula = say("largest batch"), ""
    if not is_array(size):
        peak, base, closed = one_device.largest_peak(model, settings)
        if closed == size or not one_device.simulates(model, settings):
            reason = say("largest at {peak}", peak=say(PEAK_TEXTS[peak]))
            formula = f"{format_bytes(base)} (inputs, masks, vectors) + {format_bytes(float(size - base))} ({peak})"
    least = size * low
    if settings.allocation_rules == "metal":  # read in the source and never measured: the low end is without it
        least = one_device.compute_buffer(model, replace(settings, driver="vulkan")).gpu * low
    least, most = _over_builds(model, settings, least, size * high)
    return Line("compute", size, "derived", reason, formula, low=least, high=most)


def _over_builds(model: Model, settings: Settings, low: Number, high: Number) -> tuple[Number, Number]:
    """Return the range over the builds whose rules may hold as well, where the build is unknown or near a change."""
    for build in builds.possible(settings.build):
        buffers = one_device.compute_buffer(model, replace(settings, build=build))
        size = buffers.host if settings.backend == "cpu" else buffers.gpu
        low, high = minimum(low, size), maximum(high, size)
    return low, high


def pooled_copies(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Return the line of f16 copies of a quantised cache that earlier builds took from the driver's pool."""
    layers = [m for m in model.memory if isinstance(m, (Attention, Latent))]
    size = kernel_memory.pooled_copies(layers, settings)
    if not is_array(size) and not size:
        return ()
    reason = say("copies of a quantised cache in f16, outside the compute buffer until b9520")
    return (Line("compute.scores", size, "derived", reason, low=0, high=size, grows=True),)


def host_inputs(size: Number, model: Model, settings: Settings) -> Line:
    """Return the line of the host's side of a graph that a GPU computes; size [B]."""
    least, most = one_device.host_factors(model, settings)
    low, high = size * least, size * most
    for build in builds.possible(settings.build):
        other = one_device.compute_buffer(model, replace(settings, build=build)).host
        low, high = minimum(low, other), maximum(high, other)
    return Line("compute.host", size, "derived", say("inputs of a batch"), low=low, high=high)
