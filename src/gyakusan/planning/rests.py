"""What the load takes beside the weights, for every model, kept for machines that don't differ in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.llamacpp.drivers import alike, of
from gyakusan.errors import BadSetting
from gyakusan.planning import memory
from gyakusan.planning.columns import Columns
from gyakusan.planning.memory import Buffers, Rest
from gyakusan.planning.offers import Offer

Array = Any
SHARING = "vLLM"
"""The engine whose devices share each layer, so that their number changes everything."""


@dataclass(frozen=True, slots=True)
class Held:
    """kept: by conversations, fixed: scratch and overhead, on one device [B], (counts or 1, contexts, models);

    ranks: devices that share each layer, (counts, 1, models), 1 where none do. kept is infinite where the engine refuses.
    """

    kept: Array
    fixed: Array
    ranks: Array


@dataclass(slots=True)
class Rests:
    """users; contexts: an array [tokens]."""

    columns: Columns
    users: int
    contexts: Array
    _found: dict[tuple[Any, ...], tuple[Array, Array]] = field(default_factory=dict)
    _shared: dict[int, Array] = field(default_factory=dict)
    _buffers: dict[tuple[Any, ...], Buffers] = field(default_factory=dict)
    _held: dict[tuple[Any, ...], Held] = field(default_factory=dict)

    def of(self, name: str, kv: str, offers: Sequence[Offer], wanted: Array) -> Held:
        """For machines with different numbers of one device. wanted: places of models that matter."""
        if name != SHARING:
            kept, fixed = self._one(name, kv, offers[0], wanted)
            return Held(kept[None], fixed[None], 1)
        counts = tuple(o.count for o in offers)
        key = (kv, *_class(name, offers[0]), counts)
        if key not in self._held:
            shape = (len(counts), len(self.contexts), len(self.columns.models))
            self._held[key] = Held(
                np.full(shape, np.nan), np.zeros(shape), np.ones((len(counts), 1, shape[2]), np.int64)
            )
        held = self._held[key]
        new = wanted[np.isnan(held.kept[0, 0, wanted])]
        for at, count in enumerate(counts):
            ranks = held.ranks[at, 0, new] = self._ranks(count, new)
            for number in sorted(set(ranks.tolist())):
                mine = new[ranks == number]
                kept, fixed = self._one(name, kv, offers[0], mine, number)
                held.kept[at][:, mine], held.fixed[at][:, mine] = kept[:, mine], fixed[:, mine]
        return replace(held, fixed=held.fixed + memory.aside(offers[0].machine))

    def _ranks(self, count: int, wanted: Array) -> Array:
        """Devices that share each layer of the models that are wanted, of `count`."""
        if count not in self._shared:
            self._shared[count] = np.zeros(len(self.columns.models), np.int64)
        found = self._shared[count]
        for i in wanted[found[wanted] == 0]:
            found[i] = memory.ranks(self.columns.models[i].model, count)
        return found[wanted]

    def _one(self, name: str, kv: str, offer: Offer, wanted: Array, ranks: int = 0) -> tuple[Array, Array]:
        """kept and fixed, for one device or one rank; under vLLM without what its libraries take."""
        key, size = (name, kv, ranks, *_class(name, offer)), len(self.columns.models)
        if key not in self._found:
            shape = (len(self.contexts), size)
            self._found[key] = (np.full(shape, np.nan), np.zeros(shape))
        kept, fixed = self._found[key]
        new = wanted[np.isnan(kept[0, wanted])]
        if len(new):
            machine = replace(offer.machine, gpus=offer.machine.gpus[:1] * ranks) if ranks else offer.machine
            for i, rest in zip(new, self._rests(name, kv, machine, new, ranks), strict=True):
                kept[:, i] = np.inf if rest is None else rest.kept
                fixed[:, i] = 0 if rest is None else rest.fixed
        return kept, fixed

    def _rests(self, name: str, kv: str, machine: Machine, wanted: Array, ranks: int) -> Iterator[Rest | None]:
        """What is kept and fixed, for some models."""
        every = self.columns.models
        load = Load(self.users, int(self.contexts[0]) if len(self.contexts) == 1 else self.contexts)
        if name == SHARING or (name == "llama.cpp" and machine.gpus):
            settings = memory.asked(name, every[wanted[0]], machine, load, kv, ranks)
            for i in wanted:
                yield self._quick(name, kv, machine, load, settings, int(i))
            return
        for i in wanted:
            yield memory.rest(name, every[i], machine, load, kv)

    def _quick(self, name: str, kv: str, machine: Machine, load: Load, settings: Any, place: int) -> Rest | None:
        """Under settings that are the same for every model."""
        model = self.columns.models[place].model
        try:
            if name == SHARING:
                return memory.served(model, load, settings, 0)
            key = (place, kv, *alike(settings.driver))
            if key not in self._buffers:
                self._buffers[key] = memory.buffers(model, settings)
            held = self._buffers[key]
            return Rest(held.kept, memory.fixed(model, settings, held, machine.gpus[0]))
        except BadSetting:
            return None


def _class(name: str, offer: Offer) -> tuple[Any, ...]:
    """Machines for which the rest is the same."""
    machine = offer.machine
    if not machine.gpus:
        return ("cpu", machine.simd)
    gpu = machine.gpus[0]
    if name == SHARING:
        tier = sum((gpu.memory or 0) >= n << 30 for n in (70, 160))
        slow = tier == 1 and "a100" in gpu.name.casefold()
        return (0 if slow else tier,)
    if name == "llama.cpp":
        return (gpu.kind, *alike(of(machine)))
    return (gpu.kind, gpu.backend, gpu.usable if name == "Ollama" else 0)
