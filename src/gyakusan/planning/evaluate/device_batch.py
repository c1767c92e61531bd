"""What a sweep evaluates at a time: one device, 1 to 8 of it, under one engine. Arrays are (counts, contexts, rows)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.core.machine import Machine
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable, VariantTable
from gyakusan.planning.candidates.reasoning_modes import ModeTable, RatedRows
from gyakusan.planning.evaluate.batch_speed import BatchTiming, WorkloadCosts, batch_timing
from gyakusan.planning.evaluate.load_memory import LoadMemoryCache
from gyakusan.planning.evaluate.results import ClosestMiss
from gyakusan.planning.request.request import PlanRequest

D = TypeVar("D", bound=np.generic)
Places = tuple[IntArray, IntArray, IntArray]
"""Places of candidates: of counts, contexts and rows, each (candidates,)."""


@dataclass(frozen=True, slots=True)
class SweepContext:
    """What all batches of one sweep share.

    question: the request
    columns: the models and their variants
    load_memory: memory of the load, kept for machines that do not differ in it
    costs: what each model reads and computes for the workload
    missed: for each model how near it came; batches note there
    modes: reasoning modes of every model
    reduce: True to keep of each machine only what nothing on it dominates
    rows: storage -> rows of the models that are asked about (rows,)
    ordered: storage -> all rows with their modes, best first
    """

    question: PlanRequest
    columns: ModelTable
    load_memory: LoadMemoryCache
    costs: WorkloadCosts
    missed: ClosestMiss
    modes: ModeTable
    reduce: bool
    rows: Mapping[str, IntArray]
    ordered: Mapping[str, RatedRows]


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """Different numbers of one device under one engine.

    name: of the engine
    number: place of the engine in the sweep
    offers: the machines, with rising numbers of the device
    table: variants that the engine reads
    counts: devices of each machine (counts,)
    usable: what the engine may take of one device [B]
    """

    name: str
    number: int
    offers: Sequence[HardwareOption]
    table: VariantTable
    counts: IntArray
    usable: float

    @property
    def machine(self) -> Machine:
        """The machine with the fewest devices."""
        return self.offers[0].machine

    @property
    def stages(self) -> IntArray | int:
        """Devices that hold some layers each: (counts, 1, 1), or 1."""
        if engine(self.name).MULTI_GPU != "layers" or self.counts.max() == 1:
            return 1
        return self.counts[:, None, None]


@dataclass(frozen=True, slots=True)
class FeasibleBatch:
    """Rows of a batch of which at least one candidate fits.

    batch: the devices and the engine
    kv: place of the type of the KV cache in the request
    rows: rows of the engine's table (rows,)
    fits: True where the fullest device holds the candidate (counts, contexts, rows)
    total: what the fullest device takes (counts, contexts, rows) [B]
    user_bytes: what one more user takes, on all devices that share the layers out (counts or 1, contexts, rows) [B]
    ranks: devices that share each layer (counts, 1, rows), or 1
    """

    batch: DeviceBatch
    kv: int
    rows: IntArray
    fits: BoolArray
    total: FloatArray
    user_bytes: FloatArray
    ranks: IntArray | int

    def spare_users(self, at: Places) -> FloatArray:
        """Return further users for whom there is memory, for some candidates (candidates,)."""
        user_bytes = np.broadcast_to(self.user_bytes, self.fits.shape)[at]
        stages = np.broadcast_to(self.batch.stages, self.fits.shape)[at]
        spare: FloatArray = (self.batch.usable - self.total[at]) / np.maximum(1.0, user_bytes / stages)
        return spare

    def timing(self, context: SweepContext) -> BatchTiming | None:
        """Return what times the rows; None where the bandwidth is not known."""
        b = self.batch
        if not len(self.rows):
            return None
        value_bytes = engine(b.name).cache_bytes(context.question.kv_types[self.kv])
        return batch_timing(context.costs, b.table, self.rows, b.machine, b.name, self.ranks, b.stages, value_bytes)


def take_last_axis(figures: NDArray[D], places: IntArray) -> NDArray[D]:
    """Return `figures[..., places]`, several times as fast."""
    return np.take(figures, places, axis=-1, mode="clip")
