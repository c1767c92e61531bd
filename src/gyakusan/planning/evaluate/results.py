"""What a grid holds: feasible cells as columns, and for each model how near it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from gyakusan.message import Message
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable

Array = Any
MissColumn = Literal["short_by", "best_tokens_per_s", "least_ttft", "best_quality"]
PLACES = 7
"""So many columns of Cells are places, not figures."""


@dataclass(frozen=True, slots=True)
class CandidateColumns:
    """Feasible cells as columns. offer, engine, row, kv, mode, context: places; tier: see modes.TIERS; total, usable [B];

    each, first: speed for each user [tokens/s] and first token [s], each with its careful end; useful: careful speed
    without what is spent on reasoning [tokens/s]; quality, error: after the quantisation [points]; sure: quality less one
    error [points]; price [JPY], inf = not known, 0 = owned; grow: further users for whom there is memory.
    """

    offer: Array
    engine: Array
    row: Array
    kv: Array
    mode: Array
    context: Array
    tier: Array
    total: Array
    usable: Array
    tokens_per_s: Array
    tokens_per_s_low: Array
    ttft: Array
    ttft_high: Array
    visible_tokens_per_s: Array
    quality: Array
    error: Array
    quality_lower: Array
    price: Array
    spare_users: Array

    def __len__(self) -> int:
        return len(self.row)

    def take(self, places: Array) -> CandidateColumns:
        """Some of them."""
        return CandidateColumns(*(getattr(self, f.name)[places] for f in fields(CandidateColumns)))


def concatenate(parts: Sequence[CandidateColumns]) -> CandidateColumns:
    """One after the other."""
    if not parts:
        return CandidateColumns(
            *(np.zeros(0, np.int64 if i < PLACES else float) for i in range(len(fields(CandidateColumns))))
        )
    return CandidateColumns(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(CandidateColumns)))


@dataclass(slots=True)
class ClosestMiss:
    """For each model how near it came, over everything that was tried. short [B]; fast: careful speed where it fits

    [tokens/s]; early: careful time to the first token where it fits [s]; good: quality where it fits [points].
    """

    short_by: Array
    best_tokens_per_s: Array
    least_ttft: Array
    best_quality: Array


def no_misses(size: int) -> ClosestMiss:
    """Before anything was tried."""
    return ClosestMiss(np.full(size, np.inf), np.zeros(size), np.full(size, np.inf), np.full(size, -np.inf))


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What was computed. cells: feasible ones; missed: by model; count: cells that were evaluated; refused: engines that
    no machine runs, with the reason."""

    columns: ModelTable
    offers: tuple[HardwareOption, ...]
    engines: tuple[str, ...]
    cells: CandidateColumns
    missed: ClosestMiss
    count: int
    refused: tuple[tuple[str, Message], ...]

    def of_rows(self, figure: str) -> Array:
        """A column of the tables, for each cell."""
        out = np.zeros(len(self.cells))
        for number, name in enumerate(self.engines):
            at = self.cells.engine == number
            out[at] = getattr(self.columns.of_engine(name), figure)[self.cells.row[at]]
        return out

    @property
    def models(self) -> Array:
        """Place of the model of each cell."""
        return self.of_rows("model").astype(np.int64)
