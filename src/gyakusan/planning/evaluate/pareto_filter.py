"""Select which feasible candidates to keep: all of them on a machine the user owns, else only the Pareto-optimal ones.

Arrays are (counts, contexts, rows) where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.reasoning_modes import RatedRows
from gyakusan.planning.evaluate.batch_speed import BatchSpeeds, BatchTiming
from gyakusan.planning.evaluate.device_batch import FeasibleBatch, Places, SweepContext, take_last_axis
from gyakusan.planning.evaluate.results import CandidateColumns
from gyakusan.planning.request.request import PlanRequest

INFEASIBLE = -1.0
"""A speed below all others [tokens/s]."""


def pareto_optimal(context: SweepContext, f: FeasibleBatch) -> CandidateColumns:
    """Return what nothing of the same machine, context and tier dominates in careful quality and shown speed, and the best shown.

    The highest quality that is shown may have the wider error, and then something dominates it.
    """
    question, table = context.question, f.batch.table
    ordered = context.ordered[table.storage]
    column_of = np.full(len(table), -1)
    column_of[f.rows] = np.arange(len(f.rows))
    present = np.flatnonzero((column_of[ordered.row] >= 0) & context.settable[f.batch.name][ordered.mode])
    rated = ordered.take(present)
    column = column_of[rated.row]
    timing = f.timing(context)
    low, high = _careful(context, f, timing)
    reaches = f.fits & _reaches_floors(question, low, high)
    known = np.nan_to_num(low if timing is None else low * timing.slow)
    good_enough = None if question.quality is None else rated.quality >= question.quality

    _note_floors(context, f, low, high, column, rated.quality)
    tiers = rated.tier_slices()
    feasible = [_feasible(reaches, column[t], None if good_enough is None else good_enough[t]) for t in tiers]

    def visible_speed(number: int) -> FloatArray:
        """Of one tier, so that it stays in the processor's cache [tokens/s]."""
        tier = tiers[number]
        speed = take_last_axis(known, column[tier]) / context.modes.thinking[rated.mode[tier]]
        return np.where(feasible[number], speed, INFEASIBLE)

    undominated = _fastest(visible_speed, rated.quality_lower, tiers)
    count, length, pair = _joined(
        undominated, _best_shown(feasible, rated.quality, tiers), (*f.fits.shape[:2], len(column))
    )
    places = (count, length, column[pair])
    return _columns(context, f, places, rated.take(pair), _speeds(f, timing, low, places))


def all_feasible(context: SweepContext, f: FeasibleBatch) -> CandidateColumns:
    """Return each feasible candidate once for each mode of its model, if it reaches the floors."""
    table = f.batch.table
    rated = context.modes.rated(table, f.rows)
    rated = rated.take(np.flatnonzero(context.settable[f.batch.name][rated.mode]))
    column = np.searchsorted(f.rows, rated.row)
    count, length, pair = np.nonzero(take_last_axis(f.fits, column))
    places = (count, length, column[pair])
    timing = f.timing(context)
    speeds = _speeds(f, timing, _careful(context, f, timing)[0], places)
    cells = _columns(context, f, places, rated.take(pair), speeds)
    return _above_floors(context, cells, table.model[cells.row])


def _careful(context: SweepContext, f: FeasibleBatch, timing: BatchTiming | None) -> tuple[FloatArray, FloatArray]:
    """Return careful speeds [tokens/s], and careful times to first token if there is a limit [s]; nan where not known."""
    unknown = np.full((1, 1, len(f.rows)), np.nan)
    if timing is None:
        return unknown, unknown
    return timing.tokens_per_s_low(), unknown if context.question.max_ttft is None else timing.ttft_high()


def _feasible(reaches: BoolArray, column: IntArray, good_enough: BoolArray | None) -> BoolArray:
    """Return which pairs of a tier fit and reach the floors (counts, contexts, pairs)."""
    reached = take_last_axis(reaches, column)
    return reached if good_enough is None else reached & good_enough


def _fastest(speed: Callable[[int], FloatArray], quality_lower: FloatArray, tiers: Sequence[slice]) -> Places:
    """Return the places of what is faster than everything as good in its own tier and in those before.

    speed: of a tier by its number (counts, contexts, pairs), unknown ones count as 0 [tokens/s]; quality_lower: falls within
    each tier (pairs,) [points]. The running maximum of the speed with falling quality is the frontier (Kung, Luccio,
    Preparata 1975).
    """
    selected: list[Places] = []
    before: list[tuple[FloatArray, FloatArray]] = []
    for number, tier in enumerate(tiers):
        quality = quality_lower[tier]
        if not len(quality):
            continue
        own = speed(number)
        top = np.empty((*own.shape[:-1], len(quality) + 1))
        top[..., 0] = INFEASIBLE
        np.maximum.accumulate(own, axis=-1, out=top[..., 1:])
        rival = top[..., :-1]
        for other, fastest in before:
            rival = np.maximum(rival, take_last_axis(fastest, np.searchsorted(-other, -quality, side="right")))
        count, length, pair = np.nonzero(own > rival)
        selected.append((count, length, pair + tier.start))
        before.append((quality, top))
    if not selected:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    count, length, pair = (np.concatenate(axis) for axis in zip(*selected, strict=True))
    return count, length, pair


def _best_shown(feasible: Sequence[BoolArray], quality: FloatArray, tiers: Sequence[slice]) -> Places:
    """Return the places of the highest quality of each tier. feasible: of each tier (counts, contexts, pairs)."""
    parts: list[Places] = []
    for fitting, tier in zip(feasible, tiers, strict=True):
        order = np.argsort(-quality[tier], kind="stable")
        if not len(order):
            continue
        fits = take_last_axis(fitting, order)
        count, length = np.nonzero(fits.any(axis=-1))
        parts.append((count, length, order[fits.argmax(axis=-1)[count, length]] + tier.start))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    count, length, pair = (np.concatenate(axis) for axis in zip(*parts, strict=True))
    return count, length, pair


def _joined(one: Places, other: Places, shape: tuple[int, ...]) -> Places:
    """Return all places once, in order. shape: of what they are places in."""
    flat = np.sort(np.concatenate([np.ravel_multi_index(places, shape) for places in (one, other)]))
    count, length, pair = np.unravel_index(flat[np.diff(flat, prepend=-1) > 0], shape)
    return count, length, pair


def _speeds(f: FeasibleBatch, timing: BatchTiming | None, low: FloatArray, places: Places) -> BatchSpeeds:
    """Return the speeds of some candidates, nan where not known."""
    if timing is None:
        unknown = np.full(len(places[0]), np.nan)
        return BatchSpeeds(unknown, unknown, unknown, unknown)
    return timing.speeds(low, places, f.fits.shape)


def _columns(
    context: SweepContext, f: FeasibleBatch, places: Places, rated: RatedRows, speeds: BatchSpeeds
) -> CandidateColumns:
    """Return the columns of some candidates, each with a mode."""
    count, length, _ = places
    size, modes = len(rated.mode), context.modes
    small = context.question.cache_types[f.kv] == "Q8_0"
    return CandidateColumns(
        offer=count,
        engine=np.full(size, f.batch.number),
        row=rated.row,
        kv=np.full(size, f.kv),
        mode=modes.number[rated.mode],
        context=length,
        tier=rated.tier,
        total=f.total[places],
        usable=np.full(size, f.batch.usable),
        tokens_per_s=speeds.tokens_per_s,
        tokens_per_s_low=speeds.tokens_per_s_low,
        ttft=speeds.ttft,
        ttft_high=speeds.ttft_high,
        visible_tokens_per_s=speeds.tokens_per_s_low / modes.thinking[rated.mode],
        quality=rated.quality,
        error=rated.error,
        quality_lower=rated.quality_lower - (engine(f.batch.name).SMALLER_CACHE.loss if small else 0.0),
        price=np.full(size, np.inf),
        spare_users=f.spare_users(places),
        blocks_in_ram=np.broadcast_to(f.blocks_in_ram, f.fits.shape)[places],
        replicas=np.full(size, f.batch.replicas),
    )


def _reaches_floors(question: PlanRequest, low: FloatArray, high: FloatArray) -> BoolArray:
    """Return True where careful speed [tokens/s] and careful time to first token [s] reach the floors."""
    reaches = np.ones((1, 1, 1), bool)
    if question.speed:
        reaches = np.nan_to_num(low) >= question.speed
    if question.max_ttft is not None:
        reaches = reaches & (np.nan_to_num(high, nan=np.inf) <= question.max_ttft)
    return reaches


def _note_floors(
    context: SweepContext, f: FeasibleBatch, low: FloatArray, high: FloatArray, column: IntArray, quality: FloatArray
) -> None:
    """Note what each model reaches where it fits, if a floor may exclude it. column, quality: of rated rows (pairs,)."""
    question, missed, place = context.question, context.missed, f.batch.table.model[f.rows]
    if question.speed:
        fast = np.where(f.fits, np.nan_to_num(low), 0)
        missed.note("best_tokens_per_s", place, fast.max(axis=(0, 1), initial=0))
    if question.max_ttft is not None:
        early = np.where(f.fits, np.nan_to_num(high, nan=np.inf), np.inf)
        missed.note("least_ttft", place, early.min(axis=(0, 1), initial=np.inf))
    if question.quality is not None:
        order = np.argsort(place[column], kind="stable")
        missed.note("best_quality", place[column][order], quality[order])


def _above_floors(context: SweepContext, cells: CandidateColumns, place: IntArray) -> CandidateColumns:
    """Return the candidates that reach the floors; note what falls short. place: of each candidate's model."""
    question, missed, order = context.question, context.missed, np.argsort(place, kind="stable")
    fast, late = np.nan_to_num(cells.tokens_per_s_low), np.nan_to_num(cells.ttft_high, nan=np.inf)
    missed.note("best_tokens_per_s", place[order], fast[order])
    missed.note("least_ttft", place[order], late[order])
    missed.note("best_quality", place[order], cells.quality[order])
    reaches = np.broadcast_to(_reaches_floors(question, fast, late), (1, 1, len(cells)))[0, 0]
    if question.quality is not None:
        reaches = reaches & (cells.quality >= question.quality)
    return cells if reaches.all() else cells.take(np.flatnonzero(reaches))
