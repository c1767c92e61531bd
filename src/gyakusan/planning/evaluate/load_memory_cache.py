"""What the load takes beside the weights, for every model, kept for machines that don't differ in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.llamacpp.backends import backend_of, same_allocation_key
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.evaluate import engine_memory
from gyakusan.planning.evaluate.engine_memory import Buffers, Rest
from gyakusan.planning.evaluate.load_memory import LoadMemory
from gyakusan.planning.evaluate.tensor_parallel import ENGINE as SHARING
from gyakusan.planning.evaluate.tensor_parallel import TensorParallelMemory

Array = Any


@dataclass(slots=True)
class LoadMemoryCache:
    """users; contexts: an array [tokens]."""

    columns: ModelTable
    users: int
    contexts: Array
    sharing: TensorParallelMemory = field(init=False)
    _found: dict[tuple[Any, ...], tuple[Array, Array]] = field(default_factory=dict)
    _buffers: dict[tuple[Any, ...], Buffers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sharing = TensorParallelMemory(self.columns, self.users, self.contexts)

    def of(self, name: str, kv: str, offers: Sequence[HardwareOption], wanted: Array) -> LoadMemory:
        """For machines with different numbers of one device. wanted: places of models that matter."""
        if name == SHARING:
            return self.sharing.of(kv, offers, wanted)
        kept, fixed = self._one(name, kv, offers[0], wanted)
        return LoadMemory(kept[None], fixed[None])

    def _one(self, name: str, kv: str, offer: HardwareOption, wanted: Array) -> tuple[Array, Array]:
        """kept and fixed on one device, (contexts, models). [B]"""
        key, shape = (name, kv, *_class(name, offer, kv)), (len(self.contexts), len(self.columns.models))
        if key not in self._found:
            self._found[key] = np.full(shape, np.nan), np.zeros(shape)
        kept, fixed = self._found[key]
        new = wanted[np.isnan(kept[0, wanted])]
        if len(new):
            for i, rest in zip(new, self._rests(name, kv, offer.machine, new), strict=True):
                kept[:, i] = np.inf if rest is None else rest.kept
                fixed[:, i] = 0 if rest is None else rest.fixed
        return kept, fixed

    def _rests(self, name: str, kv: str, machine: Machine, wanted: Array) -> Iterator[Rest | None]:
        """What is kept and fixed, for some models."""
        every = self.columns.models
        load = Load(self.users, int(self.contexts[0]) if len(self.contexts) == 1 else self.contexts)
        if name != "llama.cpp" or not machine.gpus:
            for i in wanted:
                yield engine_memory.rest(name, every[i], machine, load, kv)
            return
        settings = engine_memory.asked(name, every[wanted[0]], machine, load, kv)
        for i in wanted:
            yield self._quick(kv, machine, settings, int(i))

    def _quick(self, kv: str, machine: Machine, settings: Any, place: int) -> Rest | None:
        """llama.cpp, under settings that are the same for every model."""
        model, key = self.columns.models[place].model, (place, kv, *same_allocation_key(settings.driver, kv))
        try:
            if key not in self._buffers:
                self._buffers[key] = engine_memory.buffers(model, settings)
            held = self._buffers[key]
            return Rest(held.kept, engine_memory.fixed(model, settings, held, machine.gpus[0]))
        except BadSetting:
            return None


def _class(name: str, offer: HardwareOption, kv: str) -> tuple[Any, ...]:
    """Machines for which the rest is the same."""
    machine = offer.machine
    if not machine.gpus:
        return ("cpu", machine.simd)
    gpu = machine.gpus[0]
    if name == "llama.cpp":
        return (gpu.kind, *same_allocation_key(backend_of(machine), kv))
    return (gpu.kind, gpu.backend, gpu.usable if name == "Ollama" else 0)
