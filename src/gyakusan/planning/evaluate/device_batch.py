"""One device, 1 to 8 of it, under one engine: what is evaluated at a time. Arrays are (counts, contexts, rows)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gyakusan.core.machine import Machine
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable, VariantTable
from gyakusan.planning.candidates.reasoning_modes import ModeTable, OrderedRows
from gyakusan.planning.evaluate.batch_speed import BatchTiming, WorkloadCosts, batch_timing
from gyakusan.planning.evaluate.load_memory import LoadMemoryCache
from gyakusan.planning.evaluate.results import ClosestMiss, MissColumn
from gyakusan.planning.request.request import PlanRequest

Array = Any


@dataclass(frozen=True, slots=True)
class SweepContext:
    """What all blocks share. models: places of those that are asked about; reduce: see `grid.evaluate`;

    ordered, rows: by table, what was worked out once.
    """

    question: PlanRequest
    columns: ModelTable
    rests: LoadMemoryCache
    figures: WorkloadCosts
    missed: ClosestMiss
    models: Array
    modes: ModeTable
    reduce: bool
    ordered: dict[str, OrderedRows]
    rows: dict[str, Array]

    def note(self, name: MissColumn, place: Array, figure: Array) -> None:
        """The least or greatest figure of each model. place: of models, those of one stand together."""
        if not len(place):
            return
        column, keep = getattr(self.missed, name), np.minimum if name in ("short_by", "least_ttft") else np.maximum
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        best, where = keep.reduceat(figure, starts), place[starts]
        column[where] = keep(column[where], best)

    def order(self, table: VariantTable) -> OrderedRows:
        """Rows and modes of a table, what is worth most first."""
        if table.storage not in self.ordered:
            self.ordered[table.storage] = self.modes.ordered(table)
        return self.ordered[table.storage]


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """offers: different numbers of one device; number: of the engine; counts: of devices; usable: of one [B]."""

    name: str
    number: int
    offers: Sequence[HardwareOption]
    table: VariantTable
    counts: Array
    usable: float

    @property
    def machine(self) -> Machine:
        """With the fewest devices."""
        return self.offers[0].machine

    @property
    def split(self) -> Any:
        """Devices that hold some layers each: (counts, 1, 1), or 1."""
        if engine(self.name).MULTI_GPU != "layers" or self.counts.max() == 1:
            return 1
        return self.counts[:, None, None]


@dataclass(frozen=True, slots=True)
class FeasibleBatch:
    """Rows of which at least one cell fits. kv: place of the type of cache; fits, total [B]: of every cell;

    each: what one more user takes, of all devices that share the layers out [B]; ranks: devices that share each layer.
    """

    block: DeviceBatch
    kv: int
    rows: Array
    fits: Array
    total: Array
    each: Array
    ranks: Any

    def spare_users(self, at: tuple[Array, ...]) -> Array:
        """Further users for whom there is memory."""
        each, split = (
            np.broadcast_to(self.each, self.fits.shape)[at],
            np.broadcast_to(self.block.split, self.fits.shape)[at],
        )
        return (self.block.usable - self.total[at]) / np.maximum(1.0, each / split)

    def clock(self, scene: SweepContext) -> BatchTiming | None:
        """What times the rows; None where nobody knows the bandwidth."""
        b = self.block
        if not len(self.rows):
            return None
        width = engine(b.name).cache_bytes(scene.question.kv_types[self.kv])
        return batch_timing(scene.figures, b.table, self.rows, b.machine, b.name, self.ranks, b.split, width)


def take_last_axis(figures: Array, places: Array) -> Array:
    """Some rows, the last axis: `figures[..., places]`, several times as fast."""
    return np.take(figures, places, axis=-1, mode="clip")
