"""Memory of a load under llama.cpp for many models: the ledger's own functions, without its sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from msgspec import structs

from gyakusan.core.arrays import Number
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import CacheType, LoadMemory, MemoryClass
from gyakusan.engines.defaults import ledger_memory
from gyakusan.engines.llamacpp.backends import backend_of, same_allocation_key
from gyakusan.engines.llamacpp.buffers import server_memory
from gyakusan.engines.llamacpp.buffers.kv_cache import groups
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.ledger import ledger
from gyakusan.engines.llamacpp.settings import Settings, for_load
from gyakusan.errors import BadSetting


def cache_setting(kind: CacheType) -> dict[str, object]:
    """Return the changes that give keys and values this type."""
    return {} if kind.upper() == "F16" else {"key_type": kind.upper(), "value_type": kind.upper()}


def memory_class(machine: Machine, kind: CacheType) -> MemoryClass:
    """Return a class for each kind of GPU and each way in which its backend rounds buffers."""
    if not machine.gpus:
        return MemoryClass(("cpu", machine.simd))
    return MemoryClass((machine.gpus[0].kind, *same_allocation_key(backend_of(machine), kind)))


def load_memory(
    models: Iterable[Model], load: Load, machine: Machine, kind: CacheType, ranks: int
) -> Iterator[LoadMemory | None]:
    """Yield conversations, compute buffers and overhead of each model on the machine's first device; None if refused."""
    one = structs.replace(machine, gpus=tuple(structs.replace(g, memory=None) for g in machine.gpus[:1]))
    settings = replace(
        for_load(load),
        backend="cuda" if machine.gpus else "cpu",
        simd=machine.simd,
        driver=backend_of(machine),
        key_type=kind.upper(),
        value_type=kind.upper(),
    )
    for model in models:
        try:
            if machine.gpus:
                yield _on_gpu(model, settings, one.gpus[0].kind == "unified")
            else:
                yield ledger_memory(ledger(model, load, one, settings))
        except BadSetting:
            yield None


def _on_gpu(model: Model, settings: Settings, unified: bool) -> LoadMemory:
    """Return the memory of one GPU. unified: the host's buffers are in the same memory."""
    buffers = compute_buffer(model, settings)
    conversations: Number = sum(g.bytes for g in groups(model, settings))
    fixed: Number = buffers.gpu + server_memory.driver(settings.driver).bytes
    if unified:
        fixed = fixed + buffers.host + sum(line.bytes for line in server_memory.lines(model, settings))
    return LoadMemory(conversations, fixed)
