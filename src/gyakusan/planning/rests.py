"""What the load takes beside the weights, for every model, kept for machines that don't differ in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gyakusan.core.load import Load
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
    _found: dict[tuple[Any, ...], tuple[Array, Array, Array]] = field(default_factory=dict)

    def of(self, name: str, kv: str, offers: Sequence[Offer], cases: Cases, wanted: Array) -> Held:
        """For machines with different numbers of one device. wanted: places of models that matter."""
        if name != SHARING:
            kept, fixed, _ = self._one(name, kv, offers[0], wanted)
            ones = np.ones((1, 1), np.int64)
            return Held(kept[:, cases.context], fixed[:, cases.context], ones)
        each = {o.count: self._one(name, kv, o, wanted) for o in offers}
        columns = list(zip(cases.count.tolist(), cases.context.tolist(), strict=True))
        kept, fixed = (np.stack([each[n][i][:, c] for n, c in columns], axis=1) for i in (0, 1))
        return Held(kept, fixed, np.stack([each[n][2] for n, _ in columns], axis=1))

    def _one(self, name: str, kv: str, offer: Offer, wanted: Array) -> tuple[Array, Array, Array]:
        key, size = (name, kv, *_class(name, offer)), len(self.columns.models)
        if key not in self._found:
            shape = (size, len(self.contexts))
            self._found[key] = (np.full(shape, np.nan), np.zeros(shape), np.ones(size, np.int64))
        kept, fixed, ranks = self._found[key]
        one = len(self.contexts) == 1
        load = Load(self.users, int(self.contexts[0]) if one else self.contexts)
        for i in wanted[np.isnan(kept[wanted, 0])]:
            rest = memory.rest(name, self.columns.models[i], offer.machine, load, kv)
            kept[i] = np.inf if rest is None else rest.kept
            if rest is not None:
                fixed[i], ranks[i] = rest.fixed, rest.ranks
        return kept, fixed, ranks


def _class(name: str, offer: Offer) -> tuple[Any, ...]:
    """Machines for which the rest is the same."""
    machine = offer.machine
    if not machine.gpus:
        return ("cpu", machine.simd)
    gpu = machine.gpus[0]
    if name == SHARING:
        tier = sum((gpu.memory or 0) >= n << 30 for n in (70, 160))
        return (gpu.kind, gpu.backend, tier, "a100" in gpu.name.casefold(), len(machine.gpus))
    return (gpu.kind, gpu.backend, gpu.usable if name == "Ollama" else 0)
