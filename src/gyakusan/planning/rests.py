"""What the load takes beside the weights, for every model, kept for machines that don't differ in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.llamacpp.drivers import alike, of
from gyakusan.planning import memory
from gyakusan.planning.columns import Columns
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
        key, size = (name, kv, ranks, *_class(name, offer)), len(self.columns.models)
        if key not in self._found:
            shape = (len(self.contexts), size)
            self._found[key] = (np.full(shape, np.nan), np.zeros(shape))
        kept, fixed = self._found[key]
        one = len(self.contexts) == 1
        load = Load(self.users, int(self.contexts[0]) if one else self.contexts)
        new, machine = wanted[np.isnan(kept[0, wanted])], _with(offer.machine, ranks)
        if not len(new):
            return kept, fixed
        settings = memory.shared(name, self.columns.models[new[0]], machine, load, kv, ranks)
        aside = memory.aside(machine) if name == SHARING else 0
        for i in new:
            rest = memory.rest(name, self.columns.models[i], machine, load, kv, ranks, settings)
            kept[:, i] = np.inf if rest is None else rest.kept
            if rest is not None:
                fixed[:, i] = rest.fixed - aside
        return kept, fixed


def _with(machine: Machine, count: int) -> Machine:
    """The machine with so many of its device, 0 = as it is."""
    return replace(machine, gpus=machine.gpus[:1] * count) if count else machine


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
