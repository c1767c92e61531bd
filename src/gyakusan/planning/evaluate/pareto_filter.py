"""What becomes of the cells that fit: all of them on a machine that is owned, else what nothing on the machine dominates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gyakusan.planning.candidates.reasoning_modes import tier_slices
from gyakusan.planning.evaluate.batch_speed import BatchSpeeds, BatchTiming
from gyakusan.planning.evaluate.device_batch import FeasibleBatch, SweepContext, take_last_axis
from gyakusan.planning.evaluate.results import CandidateColumns
from gyakusan.planning.request.request import PlanRequest

Array = Any
NOT_THERE = -1.0
"""A speed below all others."""
Places = tuple[Array, ...]
"""Places of cells: of counts, contexts and rows."""


def pareto_optimal(scene: SweepContext, f: FeasibleBatch) -> CandidateColumns:
    """Of each machine and context what nothing of the same tier dominates in quality and speed: a sweep with falling quality."""
    question, table, ordered = scene.question, f.block.table, scene.order(f.block.table)
    where = np.full(len(table), -1)
    where[f.rows] = np.arange(len(f.rows))
    at = where[ordered.row]
    here = np.flatnonzero(at >= 0)
    at = at[here]
    quality, error, mode = ordered.quality[here], ordered.error[here], ordered.mode[here]
    clock = f.clock(scene)
    low, late = _careful(scene, f, clock)
    good = f.fits & _reaches(question, low, late)
    plain, sure = np.nan_to_num(low), quality - error
    enough = None if question.quality is None else quality >= question.quality

    def speed(part: slice) -> Array:
        """Of one tier, so that it stays in the processor's cache. [tokens/s]"""
        useful = take_last_axis(plain, at[part]) / scene.modes.thinking[mode[part]]
        there = take_last_axis(good, at[part])
        return np.where(there if enough is None else there & enough[part], useful, NOT_THERE)

    _note_floors(scene, f, low, late, at, quality)
    count, context, pair = _fastest(speed, sure, tier_slices(ordered, here))
    places = (count, context, at[pair])
    figures = _some(f, clock, low, places)
    return _columns(scene, f, places, mode[pair], quality[pair], error[pair], ordered.tier[here][pair], figures)


def all_feasible(scene: SweepContext, f: FeasibleBatch) -> CandidateColumns:
    """Each feasible cell once for each mode of its model, if it reaches the floors."""
    table = f.block.table
    row, mode = scene.modes.of(table, f.rows)
    quality, error, tier = scene.modes.judged(table, f.rows[row], mode)
    count, context, pair = np.nonzero(take_last_axis(f.fits, row))
    places = (count, context, row[pair])
    clock = f.clock(scene)
    figures = _some(f, clock, _careful(scene, f, clock)[0], places)
    cells = _columns(scene, f, places, mode[pair], quality[pair], error[pair], tier[pair], figures)
    return _floored(scene, cells, table.model[cells.row])


def _careful(scene: SweepContext, f: FeasibleBatch, clock: BatchTiming | None) -> tuple[Array, Array]:
    """Speeds at the careful end [tokens/s], and first tokens if somebody minds [s]; nan where nobody knows."""
    nothing = np.full((1, 1, len(f.rows)), np.nan)
    if clock is None:
        return nothing, nothing
    return clock.tokens_per_s_low(), nothing if scene.question.max_ttft is None else clock.ttft_high()


def _fastest(speed: Callable[[slice], Array], sure: Array, tiers: Sequence[slice]) -> Places:
    """Places of what is faster than everything as good in its own tier and in those before.

    speed: of a tier, unknown ones count as none [tokens/s]; sure: falls within each tier [points].
    """
    found: list[Places] = []
    before: list[tuple[Array, Array]] = []
    for part in tiers:
        mine = sure[part]
        if not len(mine):
            continue
        own = speed(part)
        top = np.empty((*own.shape[:-1], len(mine) + 1))
        top[..., 0] = NOT_THERE
        np.maximum.accumulate(own, axis=-1, out=top[..., 1:])
        rival = top[..., :-1]
        for other, fastest in before:
            rival = np.maximum(rival, take_last_axis(fastest, np.searchsorted(-other, -mine, side="right")))
        count, context, pair = np.nonzero(own > rival)
        found.append((count, context, pair + part.start))
        before.append((mine, top))
    return tuple(np.concatenate(x) for x in zip(*found, strict=True)) if found else (np.zeros(0, np.int64),) * 3


def _some(f: FeasibleBatch, clock: BatchTiming | None, low: Array, places: Places) -> BatchSpeeds:
    """Speeds of some cells."""
    if clock is None:
        unknown = np.full(len(places[0]), np.nan)
        return BatchSpeeds(unknown, unknown, unknown, unknown)
    return clock.speeds(low, places, f.fits.shape)


def _columns(
    scene: SweepContext,
    f: FeasibleBatch,
    places: Places,
    mode: Array,
    quality: Array,
    error: Array,
    tier: Array,
    found: BatchSpeeds,
) -> CandidateColumns:
    """Columns of some cells, each with a mode."""
    b, n = f.block, len(mode)
    count, context, row = places
    known = scene.modes
    return CandidateColumns(
        *(count, np.full(n, b.number), f.rows[row], np.full(n, f.kv)),
        *(known.number[mode], context, tier, f.total[places], np.full(n, b.usable)),
        *(
            found.tokens_per_s,
            found.tokens_per_s_low,
            found.ttft,
            found.ttft_high,
            found.tokens_per_s_low / known.thinking[mode],
        ),
        *(quality, error, quality - error, np.full(n, np.inf), f.spare_users(places)),
    )


def _reaches(question: PlanRequest, low: Array, late: Array) -> Any:
    """True where the floors for speed hold at the careful end."""
    good: Any = True
    if question.speed:
        good = np.nan_to_num(low) >= question.speed
    if question.max_ttft is not None:
        good = good & (np.nan_to_num(late, nan=np.inf) <= question.max_ttft)
    return good


def _note_floors(scene: SweepContext, f: FeasibleBatch, low: Array, late: Array, at: Array, quality: Array) -> None:
    """What each model reaches where it fits: wanted only where a floor may exclude it."""
    question, place = scene.question, f.block.table.model[f.rows]
    if question.speed:
        scene.note("best_tokens_per_s", place, np.where(f.fits, np.nan_to_num(low), 0).max(axis=(0, 1), initial=0))
    if question.max_ttft is not None:
        early = np.where(f.fits, np.nan_to_num(late, nan=np.inf), np.inf)
        scene.note("least_ttft", place, early.min(axis=(0, 1), initial=np.inf))
    if question.quality is not None:
        order = np.argsort(place[at], kind="stable")
        scene.note("best_quality", place[at][order], quality[order])


def _floored(scene: SweepContext, cells: CandidateColumns, place: Array) -> CandidateColumns:
    """Cells that reach the floors. What falls short is noted for its model."""
    question, order = scene.question, np.argsort(place, kind="stable")
    fast, late = np.nan_to_num(cells.tokens_per_s_low), np.nan_to_num(cells.ttft_high, nan=np.inf)
    scene.note("best_tokens_per_s", place[order], fast[order])
    scene.note("least_ttft", place[order], late[order])
    scene.note("best_quality", place[order], cells.quality[order])
    good = fast >= question.speed if question.speed else np.ones(len(cells), bool)
    if question.max_ttft is not None:
        good &= late <= question.max_ttft
    if question.quality is not None:
        good &= cells.quality >= question.quality
    return cells if good.all() else cells.take(np.flatnonzero(good))
