"""What the load takes under vLLM, whose devices share each layer: for every number of devices that makes a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.vllm.settings import BATCHES, batch_defaults
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.evaluate import engine_memory
from gyakusan.planning.evaluate.load_memory import LoadMemory

Array = Any
ENGINE = "vLLM"


@dataclass(slots=True)
class TensorParallelMemory:
    """users; contexts: an array [tokens]."""

    columns: ModelTable
    users: int
    contexts: Array
    _ranks: dict[int, Array] = field(default_factory=dict)
    _rests: dict[tuple[str, int], tuple[Array, Array]] = field(default_factory=dict)
    _held: dict[tuple[Any, ...], LoadMemory] = field(default_factory=dict)

    def of(self, kv: str, offers: Sequence[HardwareOption], wanted: Array) -> LoadMemory:
        """For machines with different numbers of one device. wanted: places of models that matter."""
        counts, batch = tuple(o.count for o in offers), BATCHES.index(batch_defaults(offers[0].machine))
        key = (kv, batch, counts)
        if key not in self._held:
            self._held[key] = self._empty(len(counts))
        held = self._held[key]
        new = wanted[np.isnan(held.kept[0, 0, wanted])]
        if len(new):
            self._fill(held, kv, batch, offers, new)
        return replace(held, fixed=held.fixed + engine_memory.aside(offers[0].machine))

    def _empty(self, size: int) -> LoadMemory:
        whole, one = (size, len(self.contexts), len(self.columns.models)), (size, 1, len(self.columns.models))
        return LoadMemory(np.full(whole, np.nan), np.zeros(whole), np.ones(one, np.int64))

    def _fill(self, held: LoadMemory, kv: str, batch: int, offers: Sequence[HardwareOption], new: Array) -> None:
        """Some models."""
        for at, offer in enumerate(offers):
            ranks = held.ranks[at, 0, new] = self.ranks(offer.count, new)
            for value in sorted(set(ranks.tolist())):
                here = new[ranks == value]
                kept, fixed = self._rest(kv, value, here, offers[0].machine)
                held.kept[at][:, here], held.fixed[at][:, here] = kept[batch][:, here], fixed[batch][:, here]

    def ranks(self, count: int, wanted: Array) -> Array:
        """Devices that share each layer of the models that are wanted, of `count`."""
        if count not in self._ranks:
            self._ranks[count] = np.zeros(len(self.columns.models), np.int64)
        found = self._ranks[count]
        for i in wanted[found[wanted] == 0]:
            found[i] = engine_memory.ranks(self.columns.models[i].model, count)
        return found[wanted]

    def _rest(self, kv: str, ranks: int, wanted: Array, machine: Machine) -> tuple[Array, Array]:
        """kept and fixed on one rank, without what libraries take: (batches, contexts, models). [B]"""
        if (kv, ranks) not in self._rests:
            shape = (len(BATCHES), len(self.contexts), len(self.columns.models))
            self._rests[kv, ranks] = np.full(shape, np.nan), np.zeros(shape)
        kept, fixed = self._rests[kv, ranks]
        new = wanted[np.isnan(kept[0, 0, wanted])]
        if not len(new):
            return kept, fixed
        load, settings = Load(self.users, self.contexts), self._settings(kv, ranks, machine)
        for i in new:
            try:
                rest = engine_memory.served(self.columns.models[i].model, load, settings, 0)
            except BadSetting:
                kept[..., i] = np.inf
                continue
            kept[..., i], fixed[..., i] = rest.kept, rest.fixed
        return kept, fixed

    def _settings(self, kv: str, ranks: int, machine: Machine) -> Any:
        """The same for every model; all sizes of batch at once, (batches, 1)."""
        some = replace(machine, gpus=machine.gpus[:1] * ranks)
        settings = engine_memory.asked(ENGINE, self.columns.models[0], some, Load(self.users, self.contexts), kv, ranks)
        tokens = np.array([[b.tokens] for b in BATCHES], np.int64)
        seqs = np.array([[max(b.seqs, self.users)] for b in BATCHES], np.int64)
        return replace(settings, max_num_batched_tokens=tokens, max_num_seqs=seqs)
