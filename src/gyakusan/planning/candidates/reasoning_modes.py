"""Every model in each mode of thinking: quality, and how good each row of a table is in each mode."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from msgspec import Struct

from gyakusan.catalog.quality import penalty_law
from gyakusan.catalog.quality_names import EFFORTS
from gyakusan.catalog.thinking import template_arguments, thinking
from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.core.quality import BOTTOM
from gyakusan.core.records import shallow
from gyakusan.engines.base import Command
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.model_table import CatalogModel, ModelTable, VariantTable

EVIDENCE_TIERS = 4
"""0: tested, at four bits or more; 1: tested, coarser; 2: assumed, or so few bits that nobody tested them; 3: nobody is
known to publish the file, so that it has to be made."""
UNPUBLISHED = 3


class RatedRows(Struct, frozen=True):
    """Rows of a table of variants with modes of their models; every array is (pairs,).

    row: row of the table
    mode: place in `ModeTable`
    quality: after the quantisation [points]
    error: standard error of the quality [points]
    tier: how well the quality is tested, see EVIDENCE_TIERS
    """

    row: IntArray
    mode: IntArray
    quality: FloatArray
    error: FloatArray
    tier: IntArray

    @property
    def quality_lower(self) -> FloatArray:
        """Quality less one standard error (pairs,) [points]."""
        return self.quality - self.error

    def take(self, places: IntArray) -> RatedRows:
        """Return the pairs at some places."""
        return RatedRows(**{name: column[places] for name, column in shallow(self).items()})

    def tier_slices(self) -> tuple[slice, ...]:
        """Return where each tier stands among pairs that are sorted by tier."""
        ends = np.searchsorted(self.tier, np.arange(EVIDENCE_TIERS + 1)).tolist()
        return tuple(slice(a, b) for a, b in pairwise(ends))


class ModeTable(Struct, frozen=True):
    """One entry for each mode of each model; every array is (modes,) but for `start`.

    number: place of the mode in its model's modes
    quality: of the model in this mode, not quantised [points]
    error: standard error of the quality [points]
    thinking: generated tokens for each visible one, in the task that is asked about
    untested: True where the quality is assumed
    start: where each model's modes begin, and the end of the last (models + 1,)
    """

    number: IntArray
    quality: FloatArray
    error: FloatArray
    thinking: FloatArray
    untested: BoolArray
    start: IntArray

    def rated(self, table: VariantTable, rows: IntArray) -> RatedRows:
        """Return each of some rows once for each mode of its model."""
        place = table.model[rows]
        counts = self.start[place + 1] - self.start[place]
        row = np.repeat(rows, counts)
        mode = self.start[table.model[row]] + _counted(counts)
        unknown = self.untested[mode] | (table.bits[row] < penalty_law().trusted)
        return RatedRows(
            row=row,
            mode=mode,
            quality=np.maximum(self.quality[mode] - table.cost[row], BOTTOM),
            error=np.hypot(self.error[mode], table.cost_error[row]),
            tier=np.where(~table.published[row], UNPUBLISHED, np.where(unknown, 2, np.where(table.coarse[row], 1, 0))),
        )

    def ordered(self, table: VariantTable) -> RatedRows:
        """Return all rows of a table: by tier, then with falling quality_lower; of equals the smallest file first."""
        every = self.rated(table, np.arange(len(table)))
        return every.take(np.lexsort((table.stored[every.row], -every.quality_lower, every.tier)))


def mode_table(columns: ModelTable, score: int, task: str) -> ModeTable:
    """Return the modes of every model. score: place in model_table.SCORES of the score that counts; task: what people do."""
    every = [(n, m) for known in columns.models for n, m in enumerate(known.modes)]
    return ModeTable(
        number=np.array([n for n, _ in every], np.int64),
        quality=np.array([m.scores[2 * score] for _, m in every], float),
        error=np.array([m.scores[2 * score + 1] for _, m in every], float),
        thinking=np.array([thinking(k.name, m.mode, task).factor for k in columns.models for m in k.modes], float),
        untested=np.array([m.basis == "assumed" or bool(m.kind) for _, m in every], bool),
        start=np.concatenate(([0], np.cumsum([len(k.modes) for k in columns.models], dtype=np.int64))),
    )


def settable_modes(columns: ModelTable, name: str) -> BoolArray:
    """Return True for modes that a server can be told (modes,): an effort is not everywhere an option. name: of the engine."""
    rules = engine(name)

    def settable(known: CatalogModel, mode: str) -> bool:
        if mode not in EFFORTS:
            return True
        architecture, arguments = known.outline.architecture, template_arguments(known.name, mode)
        return rules.with_thinking(Command(()), architecture, mode, arguments) is not None

    return np.array([settable(k, m.mode) for k in columns.models for m in k.modes], bool)


def _counted(counts: IntArray) -> IntArray:
    """Count from 0 for each entry: [2, 3] -> [0, 1, 0, 1, 2]."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
