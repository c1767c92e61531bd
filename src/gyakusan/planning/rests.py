"""What the load takes beside the weights, for every model, kept for machines that don't differ in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.planning import memory
from gyakusan.planning.columns import Columns
from gyakusan.planning.offers import Offer
from gyakusan.planning.speed import Cases

Array = Any
SHARING = "vLLM"
"""The engine whose devices share each layer, so that their number changes everything."""


@dataclass(frozen=True, slots=True)
class Held:
    """kept: by conversations, fixed: scratch and overhead, on one device [B]; ranks: devices that share each layer.

    (models, cases); kept is infinite where the engine refuses.
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

    def of(self, name: str, kv: str, offers: Sequence[Offer], cases: Cases, wanted: Array) -> Held:
        """For machines with different numbers of one device. wanted: places of models that matter."""
        if name != SHARING:
            kept, fixed = self._one(name, kv, offers[0], wanted)
            ones = np.ones((1, 1), np.int64)
            return Held(kept[:, cases.context], fixed[:, cases.context], ones)
        counts = sorted({o.count for o in offers})
        shared = {n: self._ranks(n, wanted) for n in counts}
        aside = memory.aside(offers[0].machine)
        kept, fixed = np.full((2, len(self.columns.models), len(counts), len(self.contexts)), np.nan)
        for at, count in enumerate(counts):
            for number in sorted(set(shared[count][wanted].tolist())):
                mine = wanted[shared[count][wanted] == number]
                found = self._one(name, kv, offers[0], mine, number)
                kept[mine, at], fixed[mine, at] = found[0][mine], found[1][mine] + aside
        column = np.searchsorted(counts, cases.count)
        ranks = np.stack([shared[n] for n in counts], axis=1)[:, column]
        return Held(kept[:, column, cases.context], fixed[:, column, cases.context], ranks)

    def _ranks(self, count: int, wanted: Array) -> Array:
        """Devices that share each layer of each model, of `count`."""
        if count not in self._shared:
            self._shared[count] = np.zeros(len(self.columns.models), np.int64)
        found = self._shared[count]
        for i in wanted[found[wanted] == 0]:
            found[i] = memory.ranks(self.columns.models[i].model, count)
        return np.maximum(found, 1)

    def _one(self, name: str, kv: str, offer: Offer, wanted: Array, ranks: int = 0) -> tuple[Array, Array]:
        key, size = (name, kv, ranks, *_class(name, offer)), len(self.columns.models)
        if key not in self._found:
            self._found[key] = (np.full((size, len(self.contexts)), np.nan), np.zeros((size, len(self.contexts))))
        kept, fixed = self._found[key]
        one = len(self.contexts) == 1
        load = Load(self.users, int(self.contexts[0]) if one else self.contexts)
        for i in wanted[np.isnan(kept[wanted, 0])]:
            rest = memory.rest(name, self.columns.models[i], _with(offer.machine, ranks), load, kv, ranks)
            kept[i] = np.inf if rest is None else rest.kept
            if rest is not None:
                fixed[i] = rest.fixed - (memory.aside(offer.machine) if name == SHARING else 0)
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
    return (gpu.kind, gpu.backend, gpu.usable if name == "Ollama" else 0)
