"""What a sweep returns: feasible candidates as columns, and for each model how near it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.core.records import shallow
from gyakusan.message import Message
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable

MissColumn = Literal["short_by", "best_tokens_per_s", "least_ttft", "best_quality"]


class CandidateColumns(Struct, frozen=True):
    """Feasible candidates as columns; every array is (candidates,).

    offer: place in `SweepResult.offers`
    engine: place in `SweepResult.engines`
    row: row of the engine's table of variants
    kv: place in the request's types of the KV cache
    mode: place in the model's reasoning modes
    context: place in the contexts that were asked for
    tier: how well the quality is tested, see reasoning_modes.EVIDENCE_TIERS
    total: what the fullest device takes [B]
    usable: what an engine may take of one device [B]
    tokens_per_s: output tokens per second of one user, all active; nan = not known [tokens/s]
    tokens_per_s_low: lower end of its 80 % interval [tokens/s]
    ttft: time to first token; nan = not known [s]
    ttft_high: upper end of its 80 % interval [s]
    visible_tokens_per_s: lower end without tokens that reasoning spends [tokens/s]
    quality: after the quantisation [points]
    error: standard error of the quality [points]
    quality_lower: quality less one standard error, and less what a smaller cache counts for [points]
    price: of the machine; infinite = not known, 0 = owned [JPY]
    spare_users: further users for whom there is memory
    blocks_in_ram: blocks of which a part is in RAM although a GPU computes, an estimate [blocks]
    replicas: copies of the model in one server
    """

    offer: IntArray
    engine: IntArray
    row: IntArray
    kv: IntArray
    mode: IntArray
    context: IntArray
    tier: IntArray
    total: FloatArray
    usable: FloatArray
    tokens_per_s: FloatArray
    tokens_per_s_low: FloatArray
    ttft: FloatArray
    ttft_high: FloatArray
    visible_tokens_per_s: FloatArray
    quality: FloatArray
    error: FloatArray
    quality_lower: FloatArray
    price: FloatArray
    spare_users: FloatArray
    blocks_in_ram: IntArray
    replicas: IntArray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def expected_visible_tokens_per_s(self) -> FloatArray:
        """Return the centre of the interval without tokens that reasoning spends; nan = not known [tokens/s]."""
        expected: FloatArray = self.visible_tokens_per_s * self.tokens_per_s / self.tokens_per_s_low
        return expected

    @property
    def weighed_tokens_per_s(self) -> FloatArray:
        """Return the speed without tokens that reasoning spends, as it is shown, less what a smaller cache counts for [tokens/s].

        Ten points count as twice the speed, as in the ranking. So of one plan with two caches one beats the other.
        """
        weighed: FloatArray = self.expected_visible_tokens_per_s * 2 ** (
            (self.quality_lower + self.error - self.quality) / 10
        )
        return weighed

    def take(self, places: IntArray) -> CandidateColumns:
        """Return the candidates at some places."""
        return CandidateColumns(**{name: column[places] for name, column in shallow(self).items()})


def concatenate(parts: Sequence[CandidateColumns]) -> CandidateColumns:
    """Return the candidates of all parts, one after the other."""
    names = CandidateColumns.__struct_fields__
    if not parts:
        kinds = CandidateColumns.__annotations__
        return CandidateColumns(**{n: np.zeros(0, np.int64 if kinds[n] == "IntArray" else float) for n in names})
    return CandidateColumns(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


class ClosestMiss(Struct):
    """For each model how near it came, over everything that was tried; every array is (models,).

    short_by: least memory that is missing, 0 where it fits, infinite where no engine runs it [B]
    best_tokens_per_s: highest careful speed where it fits [tokens/s]
    least_ttft: shortest careful time to first token where it fits [s]
    best_quality: highest quality where it fits [points]
    """

    short_by: FloatArray
    best_tokens_per_s: FloatArray
    least_ttft: FloatArray
    best_quality: FloatArray

    def note(self, name: MissColumn, place: IntArray, figure: FloatArray) -> None:
        """Keep the best of what is known and of new figures. place: of each figure's model, those of one model together."""
        if not len(place):
            return
        column, keep = getattr(self, name), np.minimum if name in ("short_by", "least_ttft") else np.maximum
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        best, where = keep.reduceat(figure, starts), place[starts]
        column[where] = keep(column[where], best)


def no_misses(size: int) -> ClosestMiss:
    """Return the state of `size` models before anything was tried."""
    return ClosestMiss(
        short_by=np.full(size, np.inf),
        best_tokens_per_s=np.zeros(size),
        least_ttft=np.full(size, np.inf),
        best_quality=np.full(size, -np.inf),
    )


class SweepResult(Struct, frozen=True):
    """What a sweep computed.

    columns: the models and their variants
    offers: the machines
    engines: names of the engines that were tried
    cells: feasible candidates
    missed: for each model how near it came
    count: candidates that were evaluated
    refused: engines that no machine runs, with the reason
    """

    columns: ModelTable
    offers: tuple[HardwareOption, ...]
    engines: tuple[str, ...]
    cells: CandidateColumns
    missed: ClosestMiss
    count: int
    refused: tuple[tuple[str, Message], ...]

    def of_rows(self, column: str) -> FloatArray:
        """Return a column of the tables of variants for each candidate (candidates,)."""
        out = np.zeros(len(self.cells))
        for number, name in enumerate(self.engines):
            at = self.cells.engine == number
            if not at.any():  # its table may not have been made
                continue
            out[at] = getattr(self.columns.of_engine(name), column)[self.cells.row[at]]
        return out

    @property
    def models(self) -> IntArray:
        """Place of the model of each candidate (candidates,)."""
        return self.of_rows("model").astype(np.int64)
