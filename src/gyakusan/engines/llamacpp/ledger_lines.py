"""Lines of a ledger: each buffer of llama.cpp with its reason and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array
from gyakusan.core.dtypes import dtype
from gyakusan.core.ledger import Line, memory_part
from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent, Tensor
from gyakusan.engines.llamacpp.buffers.cpu_repack import mapped
from gyakusan.engines.llamacpp.buffers.kv_cache import CacheGroup
from gyakusan.engines.llamacpp.buffers.output import F32, output
from gyakusan.engines.llamacpp.compute_buffer.one_device import base, binding, spread
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer as _scratch
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
}
"""Names of the scratch peaks as people read them."""


_MIXES = Memo[tuple[int, str]](maxsize=2)


def weights(size: Number, model: Model, tensors: Sequence[Tensor] | None = None) -> Line:
    """All weights on one device. tensors: those there, None = all of the model. size [B]"""
    here = model.tensors if tensors is None else tensors
    count, mix = _MIXES.get(model, "all", lambda: _counted(here)) if tensors is None else _counted(here)
    reason = say("{n} tensors, {quantization}", n=count, quantization=model.quantization)
    return Line("weights", size, "derived", reason, mix)


def off_tables(size: Number, model: Model) -> Line:
    """All weights but the tables of rows, on one GPU. size [B] Counted once for a model: limits ask many times."""
    count, mix = _MIXES.get(model, "gpu", lambda: _counted([t for t in model.tensors if t.name not in model.tables]))
    return Line(
        "weights", size, "derived", say("{n} tensors, {quantization}", n=count, quantization=model.quantization), mix
    )


def file(model: Model, lazy: int) -> Line:
    """A file that Metal maps, embedding table included: a tied output is the same pages. [B]

    lazy: of it that need not be in memory [B].

    Source: llama.cpp b11434, src/llama-model.cpp (load_tensors, buffer_from_host_ptr), llama_model_loader::get_mapping_range.
    """
    line = weights(mapped(model, "none"), model)
    line = replace(line, low=line.bytes - lazy)
    return replace(line, reason=say("{n} tensors, {quantization}, mapped from the file", **line.reason.facts))


def tables(size: Number, lazy: int) -> tuple[Line, ...]:
    """Embedding tables in RAM, and those of which only the rows in use are read. size: of all; lazy: of those [B]"""
    held = Line("weights.embedding", size - lazy, "derived", say("the embedding table stays in RAM"))
    if not lazy:
        return (held,)
    reason = say(
        "per-layer embeddings stay on disk ({size}); rows in use are cached (--lazy-mode)", size=format_bytes(lazy)
    )
    return held, Line("weights.per_layer", 0, "derived", reason, low=0, high=lazy, grows=True)


def repacked(size: Number, simd: str) -> Line:
    """Copies of matrices in the layout that the CPU multiplies fastest. size [B]"""
    return Line(
        "weights.repacked", size, "derived", say("a copy repacked for {simd}; --no-repack saves it", simd=simd.upper())
    )


def _counted(tensors: Sequence[Tensor]) -> tuple[int, str]:
    return len(tensors), _mix(tensors)


def _mix(tensors: Sequence[Tensor]) -> str:
    """Values by element type, most first."""
    kinds: dict[str, int] = {}
    for t in tensors:
        kinds[t.type] = kinds.get(t.type, 0) + t.values
    parts = sorted(kinds.items(), key=lambda kv: -kv[1])
    return " + ".join(f"{n / 1e9:.3f}e9 x {dtype(k).bits:g}/8 B ({k})" for k, n in parts)


def context(groups: Sequence[CacheGroup], settings: Settings) -> tuple[Line, ...]:
    """One line for each group of layers that keeps something."""
    return tuple(Line(memory_part(g.memory), g.bytes, "derived", _keeps(g.memory), _cells(g, settings)) for g in groups)


def _keeps(memory: Memory) -> Message:
    facts: Mapping[str, Any] = {"n": len(memory.layers)}
    match memory:
        case Recurrent():
            return say("{n} layers keep a state for each user, whatever the context", **facts)
        case Indexer():
            return say("{n} layers keep an index of keys", **facts)
        case Compressed():
            return say("{n} layers keep compressed keys", **facts)
        case Latent():
            return say("{n} layers keep one latent vector for each token", **facts)
        case Attention(window=None):
            return say("{n} layers keep every token", **facts)
        case _:
            return say("{n} layers keep the last {window} tokens and one batch", window=memory.window, **facts)


def _cells(group: CacheGroup, settings: Settings) -> str:
    memory = group.memory
    if is_array(group.cells, group.streams, settings.slots):
        return ""
    if isinstance(memory, Recurrent):
        kept = memory.convolution + memory.state
        return f"{len(memory.layers)} layers x {settings.slots} users x {kept:,} values x {F32} B"
    cells = f"{len(memory.layers)} layers x {group.streams} x {group.cells:,} cells"
    row = f"{memory.key:,} {settings.key_type}"
    value = getattr(memory, "value", 0)
    if value:
        row += f" + {value:,} {settings.value_type}"
    return f"{cells} x ({row})"


def scratch(size: Number, model: Model, settings: Settings) -> Line:
    """The compute buffer of the device that computes. size [B]"""
    low, high = spread(model, settings)
    reason, formula = say("compute buffer"), ""
    if not is_array(size):
        peak, ground = binding(model, settings), base(model, settings)
        reason = say("compute buffer; largest at {peak}", peak=say(PEAK_TEXTS[peak]))
        formula = (
            f"{format_bytes(float(ground))} (inputs, masks, vectors) + {format_bytes(float(size - ground))} ({peak})"
        )
    least = size * low
    if settings.stores == "metal":  # read in the source and never measured: the low end is without it
        least = _scratch(model, replace(settings, driver="vulkan")).gpu * low
    return Line("compute", size, "derived", reason, formula, low=least, high=size * high)


def pinned(size: Number) -> Line:
    """The host's side of a graph that a GPU computes. size [B]"""
    return Line("compute.host", size, "derived", say("pinned buffer: token vectors, masks and other inputs of a batch"))


def logits(model: Model, settings: Settings) -> Line:
    """Logits of one token for each slot. llama_context::output_reserve."""
    formula = f"{settings.slots} x {model.vocabulary:,} x {F32} B"
    return Line("output", output(model, settings), "derived", say("logits of one token for each user"), formula)
