"""What a sweep evaluates at a time: one device, 1 to 8 of it, under one engine. Arrays are (counts, contexts, rows)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct, structs
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
from gyakusan.planning.predict.speed_inputs import NO_HOST_WEIGHTS, HostWeights
from gyakusan.planning.request.request import PlanRequest

D = TypeVar("D", bound=np.generic)
Places = tuple[IntArray, IntArray, IntArray]
"""Places of candidates: of counts, contexts and rows, each (candidates,)."""


class SweepContext(Struct, frozen=True):
    """What all batches of one sweep share.

    question: the request
    columns: the models and their variants
    load_memory: memory of the load, kept for machines that do not differ in it
    costs: what each model reads and computes for the workload
    missed: for each model how near it came; batches note there
    modes: reasoning modes of every model
    settable: engine that runs on one of the devices -> True for the modes that it can be told (modes,)
    reduce: True to keep of each machine only what nothing on it dominates
    rows: storage -> rows of the models that are asked about (rows,)
    ordered: storage -> all rows with their modes, best first
    alone: True if the model has the machine to itself: then a smaller cache, parts in RAM and copies are
        tried, too
    projector_bytes: what the part of every model that reads images takes, None if nobody sends any (models,) [B]
    """

    question: PlanRequest
    columns: ModelTable
    load_memory: LoadMemoryCache
    costs: WorkloadCosts
    missed: ClosestMiss
    modes: ModeTable
    settable: Mapping[str, BoolArray]
    reduce: bool
    rows: Mapping[str, IntArray]
    ordered: Mapping[str, RatedRows]
    alone: bool = False
    projector_bytes: FloatArray | None = None

    def image_bytes(self, name: str, place: IntArray) -> FloatArray | float:
        """Return what images take on a device under an engine [B]. place: of each row's model (rows,)."""
        return 0.0 if self.projector_bytes is None or engine(name).IMAGES == "never" else self.projector_bytes[place]


class DeviceBatch(Struct, frozen=True):
    """Different numbers of one device under one engine.

    name: of the engine
    number: place of the engine in the sweep
    offers: the machines, with rising numbers of the device
    table: variants that the engine reads
    counts: devices of each machine that share one copy of a model (counts,)
    usable: what the engine may take of one device [B]
    replicas: copies of a model in one server
    """

    name: str
    number: int
    offers: Sequence[HardwareOption]
    table: VariantTable
    counts: IntArray
    usable: float
    replicas: int = 1

    @property
    def machine(self) -> Machine:
        """The machine with the fewest devices."""
        return self.offers[0].machine

    @property
    def holds_part_in_ram(self) -> bool:
        """True if the engine can leave a part of a model in this machine's RAM, and the RAM is known."""
        gpus, host = self.machine.gpus, self.machine.host
        known = host is not None and host.usable is not None
        return engine(self.name).OFFLOADS and bool(gpus) and gpus[0].kind == "gpu" and known

    def with_replicas(self, replicas: int) -> DeviceBatch | None:
        """Return the machines whose devices make `replicas` equal groups, None if there are none."""
        if replicas == 1:
            return self
        at = np.flatnonzero(self.counts % replicas == 0)
        if not len(at) or not engine(self.name).REPLICATES:
            return None
        offers = [self.offers[i] for i in at.tolist()]
        return structs.replace(self, offers=offers, counts=self.counts[at] // replicas, replicas=replicas)

    @property
    def stages(self) -> IntArray | int:
        """Devices that hold some layers each: (counts, 1, 1), or 1."""
        if engine(self.name).MULTI_GPU != "layers" or self.counts.max() == 1:
            return 1
        return self.counts[:, None, None]


class FeasibleBatch(Struct, frozen=True):
    """Rows of a batch of which at least one candidate fits.

    batch: the devices and the engine
    kv: place of the type of the KV cache in the request
    rows: rows of the engine's table (rows,)
    fits: True where the fullest device holds the candidate (counts, contexts, rows)
    total: what the fullest device takes (counts, contexts, rows) [B]
    user_bytes: what one more user takes, on all devices that share the layers out (counts or 1, contexts, rows) [B]
    ranks: devices that share each layer (counts, 1, rows), or 1
    blocks_in_ram: blocks of which a part is in RAM (counts, contexts, rows), or 0 [blocks]
    host: weights in RAM that a GPU lacks
    """

    batch: DeviceBatch
    kv: int
    rows: IntArray
    fits: BoolArray
    total: FloatArray
    user_bytes: FloatArray
    ranks: IntArray | int
    blocks_in_ram: IntArray | int = 0
    host: HostWeights = NO_HOST_WEIGHTS

    def spare_users(self, at: Places) -> FloatArray:
        """Return further users for whom there is memory, for some candidates (candidates,)."""
        user_bytes = np.broadcast_to(self.user_bytes, self.fits.shape)[at]
        stages = np.broadcast_to(self.batch.stages, self.fits.shape)[at]
        spare: FloatArray = (self.batch.usable - self.total[at]) / np.maximum(1.0, user_bytes / stages)
        return spare * self.batch.replicas

    def timing(self, context: SweepContext) -> BatchTiming | None:
        """Return what times the rows; None where the bandwidth is not known."""
        b = self.batch
        if not len(self.rows):
            return None
        value_bytes = engine(b.name).cache_bytes(context.question.cache_types[self.kv])
        return batch_timing(
            *(context.costs, b.table, self.rows, b.machine, b.name, self.ranks, b.stages, value_bytes, self.host)
        )


def take_last_axis(figures: NDArray[D], places: IntArray) -> NDArray[D]:
    """Return `figures[..., places]`, several times as fast."""
    return np.take(figures, places, axis=-1, mode="clip")
