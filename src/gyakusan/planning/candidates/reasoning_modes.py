"""Every model with reasoning on and off: quality, and what each row of a table is worth proposing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gyakusan.catalog.quality import penalty_law
from gyakusan.planning.candidates.model_table import ModelTable, VariantTable

Array = Any
EVIDENCE_TIERS = 3
"""0: tested, at four bits or more; 1: tested, coarser; 2: a guess, or so few bits that nobody knows."""


@dataclass(frozen=True, slots=True)
class OrderedRows:
    """Rows of a table with each of their modes: by tier, then with falling sure quality; of equals the smallest file first.

    row, mode: places; quality, error: after the quantisation [points]; tier: see TIERS.
    """

    row: Array
    mode: Array
    quality: Array
    error: Array
    tier: Array


@dataclass(frozen=True, slots=True)
class ModeTable:
    """One entry for each mode of each model. number: its place in the model's modes; value, error: quality [points];

    thinking: answer tokens over those without reasoning; guess: nobody tested it; first: where each model's modes begin,
    and the end of the last.
    """

    number: Array
    value: Array
    error: Array
    thinking: Array
    guess: Array
    first: Array

    def of(self, table: VariantTable, rows: Array) -> tuple[Array, Array]:
        """Each row once for each mode of its model: places in `rows`, and places here."""
        place = table.model[rows]
        many = self.first[place + 1] - self.first[place]
        at = np.repeat(np.arange(len(rows)), many)
        return at, self.first[place[at]] + _counted(many)

    def judged(self, table: VariantTable, row: Array, mode: Array) -> tuple[Array, Array, Array]:
        """Quality and its error after the quantisation [points], and the tier, of rows with a mode."""
        quality = self.value[mode] - table.cost[row]
        error = np.hypot(self.error[mode], table.cost_error[row])
        unknown = self.guess[mode] | (table.bits[row] < penalty_law().trusted)
        return quality, error, np.where(unknown, 2, np.where(table.coarse[row], 1, 0))

    def ordered(self, table: VariantTable) -> OrderedRows:
        """All rows of a table."""
        row, mode = self.of(table, np.arange(len(table)))
        quality, error, tier = self.judged(table, row, mode)
        order = np.lexsort((table.stored[row], -(quality - error), tier))
        return OrderedRows(*(x[order] for x in (row, mode, quality, error, tier)))


def mode_table(columns: ModelTable, score: int) -> ModeTable:
    """Modes of every model. score: place of the score that counts in columns.SCORES."""
    every = [(n, m) for known in columns.models for n, m in enumerate(known.modes)]
    plain = [(n, m.scores[2 * score], m.scores[2 * score + 1], m.thinking) for n, m in every]
    number, value, error, thinking = np.array(plain, float).reshape(-1, 4).T
    guess = np.array([m.basis == "assumed" or bool(m.kind) for _, m in every], bool)
    first = np.concatenate(([0], np.cumsum([len(k.modes) for k in columns.models], dtype=np.int64)))
    return ModeTable(number.astype(np.int64), value, error, np.where(thinking > 0, thinking, 1.0), guess, first)


def tier_slices(ordered: OrderedRows, some: Array) -> tuple[slice, ...]:
    """Where each tier stands among some places of what is ordered."""
    ends = np.searchsorted(ordered.tier[some], np.arange(EVIDENCE_TIERS + 1)).tolist()
    return tuple(slice(a, b) for a, b in pairwise(ends))


def _counted(many: Array) -> Array:
    """[2, 3] -> [0, 1, 0, 1, 2]"""
    ends = np.cumsum(many)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - many, many)
