"""Memory of a load without the weights, for every model: kept for machines that do not differ in it."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec
import numpy as np
from msgspec import Struct, structs

from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.core.broadcast import distinct
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.base import EngineModule, EngineSettings, MemoryClass
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.model_table import ModelTable


class LoadMemoryTable(Struct, frozen=True):
    """Memory of a load on one device of some machines, for every model.

    conversations: KV cache and states of all users; infinite where the engine refuses, nan where nobody asked
        [B] (counts or 1, contexts, models)
    fixed: compute buffers and overhead [B] (counts or 1, contexts, models)
    ranks: devices that share each layer (counts, 1, models), 1 where none do
    """

    conversations: FloatArray
    fixed: FloatArray
    ranks: IntArray | int = 1


class LoadMemoryCache(Struct):
    """What was worked out for a load. It lives as long as one sweep.

    columns: the models
    users: conversations at once
    contexts: lengths of a conversation [tokens] (contexts)
    """

    columns: ModelTable
    users: int
    contexts: IntArray
    _one_rank: dict[Hashable, LoadMemoryTable] = msgspec.field(default_factory=dict)
    _shared: dict[Hashable, LoadMemoryTable] = msgspec.field(default_factory=dict)
    _ranks: dict[tuple[str, int], IntArray] = msgspec.field(default_factory=dict)

    def of(self, name: str, kind: str, machine: Machine, counts: tuple[int, ...], wanted: IntArray) -> LoadMemoryTable:
        """Return the memory under an engine on machines with different numbers of one device.

        kind: type of the cache; machine: one of them; wanted: places of the models that matter; of the others nothing is
        said.
        """
        rules = engine(name)
        group = rules.memory_class(machine, kind)
        if rules.MULTI_GPU == "tensor":
            found = self._tensor_parallel(rules, kind, machine, counts, group, wanted)
        else:
            found = self._on_ranks(rules, kind, machine, group, 1, wanted)
        return structs.replace(found, fixed=found.fixed + group.overhead) if group.overhead else found

    def _on_ranks(
        self,
        rules: EngineModule[EngineSettings],
        kind: str,
        machine: Machine,
        group: MemoryClass,
        ranks: int,
        wanted: IntArray,
    ) -> LoadMemoryTable:
        """Return the memory of one of `ranks` devices that share each layer."""
        key = (rules.NAME, kind, group.key, ranks)
        if key not in self._one_rank:
            self._one_rank[key] = self._empty(1)
        found = self._one_rank[key]
        new = wanted[np.isnan(found.conversations[0, 0, wanted])]
        if not len(new):
            return found
        load = Load(self.users, int(self.contexts[0]) if len(self.contexts) == 1 else self.contexts)
        models = (self.columns.models[i].model for i in new)
        for i, memory in zip(new, rules.load_memory(models, load, machine, kind, ranks), strict=True):
            found.conversations[0, :, i] = np.inf if memory is None else memory.conversations
            found.fixed[0, :, i] = 0 if memory is None else memory.fixed
        return found

    def _tensor_parallel(
        self,
        rules: EngineModule[EngineSettings],
        kind: str,
        machine: Machine,
        counts: tuple[int, ...],
        group: MemoryClass,
        wanted: IntArray,
    ) -> LoadMemoryTable:
        """Return the memory where each model is shared by as many devices as it can be."""
        key = (rules.NAME, kind, group.key, counts)
        if key not in self._shared:
            self._shared[key] = structs.replace(
                self._empty(len(counts)), ranks=np.ones((len(counts), 1, len(self.columns.models)), np.int64)
            )
        found = self._shared[key]
        new = wanted[np.isnan(found.conversations[0, 0, wanted])]
        assert not isinstance(found.ranks, int)
        for at, count in enumerate(counts if len(new) else ()):
            ranks = found.ranks[at, 0, new] = self._max_ranks(rules, count, new)
            for value in distinct(ranks).tolist():
                here = new[ranks == value]
                one = self._on_ranks(rules, kind, machine, group, value, here)
                found.conversations[at][:, here] = one.conversations[0][:, here]
                found.fixed[at][:, here] = one.fixed[0][:, here]
        return found

    def _empty(self, size: int) -> LoadMemoryTable:
        shape = (size, len(self.contexts), len(self.columns.models))
        return LoadMemoryTable(np.full(shape, np.nan), np.zeros(shape))

    def _max_ranks(self, rules: EngineModule[EngineSettings], count: int, wanted: IntArray) -> IntArray:
        """Return how many of `count` devices share each layer of the wanted models."""
        if (rules.NAME, count) not in self._ranks:
            self._ranks[rules.NAME, count] = np.zeros(len(self.columns.models), np.int64)
        found = self._ranks[rules.NAME, count]
        for i in wanted[found[wanted] == 0]:
            found[i] = rules.max_ranks(self.columns.models[i].model, count)
        return found[wanted]
