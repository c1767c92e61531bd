"""Buffers of llama.cpp, charged to the devices of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gyakusan.core.dtypes import dtype
from gyakusan.core.ledger import Account, Engine, Ledger, Line, LineKind
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Attention, Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.engines.llamacpp import cache, overhead
from gyakusan.engines.llamacpp.predicted import F32, output
from gyakusan.engines.llamacpp.scratch import binding, scratch, spread
from gyakusan.engines.llamacpp.settings import VERSION, Settings, check
from gyakusan.engines.llamacpp.weights import weights
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say

UNKNOWN_HOST = Device("host RAM", "host", None, "cpu")


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Bytes by device and kind. Raises BadSetting for what llama.cpp refuses.

    Source: llama.cpp b11434; each line's function names its own.
    """
    chosen = check(settings)
    if chosen.backend == "cpu":
        host = machine.host or (machine.gpus[0] if machine.gpus else UNKNOWN_HOST)
        accounts: tuple[Account, ...] = (Account(host, _host_lines(model, chosen)),)
    else:
        accounts = _with_gpu(model, chosen, machine)
    return Ledger(model, Engine("llama.cpp", VERSION), asdict(chosen), load, accounts, _notes(model, chosen, machine))


def _with_gpu(model: Model, settings: Settings, machine: Machine) -> tuple[Account, ...]:
    if not machine.gpus:
        raise BadSetting("{name} has no GPU.", name=machine.name, mend="Name one with --device, or use the CPU.")
    if len(machine.gpus) > 1:
        raise BadSetting(
            "{name} has {n} GPUs; a split over several is not priced yet.",
            name=machine.name,
            n=len(machine.gpus),
            mend="Ask for one of them.",
        )
    gpu = machine.gpus[0]
    on_gpu, on_host = _gpu_lines(model, settings), _host_lines(model, settings)
    if gpu.kind == "unified":
        return (Account(gpu, on_gpu + on_host),)
    return (Account(gpu, on_gpu), Account(machine.host or UNKNOWN_HOST, on_host))


def _gpu_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    held = Line("weights", weights(model, settings).gpu, "derived", _weights_reason(model), _weights_formula(model))
    return (held, *_context_lines(model, settings), _scratch_line(model, settings, "gpu"), overhead.cuda())


def _host_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Everything in RAM: all of it on the CPU backend, else the embedding table and pinned buffers."""
    cpu = settings.backend == "cpu"
    reason = _weights_reason(model) if cpu else say("the embedding table stays in RAM")
    held = Line("weights", weights(model, settings).host, "derived", reason, _weights_formula(model) if cpu else "")
    context = _context_lines(model, settings) if cpu else ()
    return (
        held,
        *context,
        _scratch_line(model, settings, "host"),
        _output_line(model, settings),
        overhead.process(),
        overhead.prompt_cache(),
    )


def _weights_reason(model: Model) -> Message:
    return say("{n} tensors, {quantization}", n=len(model.tensors), quantization=model.quantization)


def _weights_formula(model: Model) -> str:
    kinds: dict[str, int] = {}
    for t in model.tensors:
        kinds[t.type] = kinds.get(t.type, 0) + t.values
    parts = sorted(kinds.items(), key=lambda kv: -kv[1])
    return " + ".join(f"{n / 1e9:.3f}e9 x {dtype(k).bits:g}/8 B ({k})" for k, n in parts)


def _context_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    lines = []
    for group in cache.groups(model, settings):
        kind: LineKind = "recurrent_state" if isinstance(group.memory, Recurrent) else "kv_cache"
        lines.append(Line(kind, group.bytes, "derived", _keeps(group.memory), _cache_formula(group, settings)))
    return tuple(lines)


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


def _cache_formula(group: cache.CacheGroup, settings: Settings) -> str:
    memory = group.memory
    if isinstance(memory, Recurrent):
        kept = memory.convolution + memory.state
        return f"{len(memory.layers)} layers x {settings.slots} users x {kept:,} values x {F32} B"
    cells = f"{len(memory.layers)} layers x {group.streams} x {group.cells:,} cells"
    row = f"{memory.key:,} {settings.key_type}"
    value = getattr(memory, "value", 0)
    if value:
        row += f" + {value:,} {settings.value_type}"
    return f"{cells} x ({row})"


def _scratch_line(model: Model, settings: Settings, where: str) -> Line:
    size = getattr(scratch(model, settings), where)
    low, high = spread(model, settings)
    reason = say("compute buffer; largest at: {peak}", peak=say(binding(model, settings)))
    return Line("scratch", size, "derived", reason, low=size * low, high=size * high)


def _output_line(model: Model, settings: Settings) -> Line:
    """Logits of one token for each slot. [B] llama_context::output_reserve."""
    size = output(model, settings)
    formula = f"{settings.slots} x {model.vocabulary:,} x {F32} B"
    return Line("scratch", size, "derived", say("logits of one token for each user"), formula)


def _notes(model: Model, settings: Settings, machine: Machine) -> tuple[Message, ...]:
    notes = []
    if model.inferred:
        notes.append(
            say("The architecture {name} is not known: it was inferred from the tensors.", name=model.architecture)
        )
    if settings.backend == "cuda" and machine.gpus and machine.gpus[0].backend != "cuda":
        notes.append(say("{backend} is priced by CUDA's padding rules.", backend=machine.gpus[0].backend))
    if any(d.kind == "host" and d.memory is None for d in machine.devices):
        notes.append(say("The computer's RAM is not known: it is listed, not checked."))
    return tuple(notes)
