"""Every candidate of one batch that fits: whole on the GPUs with a usual and a smaller cache, else with a part in RAM."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import structs

from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.core.broadcast import distinct
from gyakusan.engines.registry import engine as find_engine
from gyakusan.planning.candidates.model_table import VariantTable
from gyakusan.planning.evaluate import part_in_ram
from gyakusan.planning.evaluate.device_batch import DeviceBatch, FeasibleBatch, SweepContext, take_last_axis
from gyakusan.planning.evaluate.engine_memory import fullest_device, weight_bytes
from gyakusan.planning.evaluate.load_memory import LoadMemoryTable
from gyakusan.planning.evaluate.pareto_filter import all_feasible, pareto_optimal
from gyakusan.planning.evaluate.results import CandidateColumns


def batch_candidates(context: SweepContext, b: DeviceBatch) -> tuple[list[CandidateColumns], int]:
    """Return the feasible candidates of a batch, and how many were evaluated."""
    rows = _runnable(b, context.rows[b.table.storage])
    least = _least_weights(b, rows)
    hopeful = rows[least <= b.usable] if b.machine.gpus else rows
    models = b.table.model
    wanted = np.zeros(len(context.columns.models), bool)
    wanted[models[hopeful]] = True
    # What lacks at least as much as it lacks elsewhere brings nothing new; of the others the whole need is noted below.
    nearer = least - b.usable < context.missed.short_by[models[rows]]
    _note_hopeless(context, b, rows[~wanted[models[rows]] & nearer])
    held = np.zeros((len(b.counts), len(context.costs.contexts), len(context.columns.models)), bool)
    found, tried = list(_whole(context, b, hopeful, held)), len(_cache_types(context, b))
    if context.alone and b.holds_part_in_ram:
        left = rows[~b.table.coarse[rows] & ~np.asarray(held.all(axis=(0, 1)))[models[rows]]]
        found.append(part_in_ram.feasible(context, b, left, held))
        tried += 1
    filtered = pareto_optimal if context.reduce else all_feasible
    return [filtered(context, f) for f in found], len(rows) * len(b.counts) * len(context.costs.contexts) * tried


def _note_hopeless(context: SweepContext, b: DeviceBatch, rows: IntArray) -> None:
    """Note what models lack whose weights alone are too large, each with all its conversations."""
    for _, kind in _cache_types(context, b) if len(rows) else ():
        wanted = distinct(b.table.model[rows])
        memory = context.load_memory.of(b.name, kind, b.machine, tuple(b.counts.tolist()), wanted)
        _note_short(context, b, rows, memory)


def _note_held(held: BoolArray, f: FeasibleBatch, table: VariantTable) -> None:
    """Note of which models a format of four bits or more fits. held: (counts, contexts, models)."""
    fine = np.flatnonzero(~table.coarse[f.rows])
    place = table.model[f.rows[fine]]
    if len(fine):
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        fits = np.logical_or.reduceat(take_last_axis(f.fits, fine), starts, axis=-1)
        held[..., place[starts]] |= np.asarray(fits)


def _whole(context: SweepContext, b: DeviceBatch, rows: IntArray, held: BoolArray) -> Iterator[FeasibleBatch]:
    """Yield what fits the GPUs, for each type of cache: also what fits with a larger one.

    Else a plan for few people, which fit, would be slower than that for many, which do not.
    """
    for kv, kind in _cache_types(context, b):
        wanted = distinct(b.table.model[rows])
        memory = context.load_memory.of(b.name, kind, b.machine, tuple(b.counts.tolist()), wanted)
        f = _feasible(context, b, rows, memory, kv)
        _note_held(held, f, b.table)
        yield f


def _cache_types(context: SweepContext, b: DeviceBatch) -> list[tuple[int, str]]:
    """Return the types of cache to try, with their places in the request's."""
    asked = list(enumerate(context.question.cache_types))
    smaller = find_engine(b.name).SMALLER_CACHE.kind if context.alone else ""
    return asked if context.question.kv_types else [(n, kind) for n, kind in asked if not n or kind == smaller]


def _runnable(b: DeviceBatch, rows: IntArray) -> IntArray:
    """Return the rows in formats that the engine runs on this machine."""
    rules = find_engine(b.name)
    runs = np.array([rules.format_refusal(n, b.machine) is None for n in b.table.names], bool)
    return rows if runs.all() else rows[runs[b.table.name_of[rows]]]


def _least_weights(b: DeviceBatch, rows: IntArray) -> IntArray:
    """Return what weights alone take at least on one device of the largest machine (rows,) [B]."""
    most = int(b.counts.max())
    if find_engine(b.name).MULTI_GPU == "tensor":
        return weight_bytes(b.name, b.table, rows, most, b.machine)
    return weight_bytes(b.name, b.table, rows, 1, b.machine) // most


def _feasible(context: SweepContext, b: DeviceBatch, rows: IntArray, memory: LoadMemoryTable, kv: int) -> FeasibleBatch:
    """Return the rows of which a candidate fits the GPUs."""
    rows = _note_short(context, b, rows, memory)
    place, shape = b.table.model[rows], (len(b.counts), len(context.costs.contexts), len(rows))
    total = np.broadcast_to(_total(context, b, rows, memory), shape)
    return FeasibleBatch(
        batch=b,
        kv=kv,
        rows=rows,
        fits=total <= min(b.usable, np.finfo(float).max),  # what is refused takes infinitely much
        total=total,
        user_bytes=take_last_axis(memory.conversations, place) / context.question.users,
        ranks=_ranks(memory, place),
    )


def _note_short(context: SweepContext, b: DeviceBatch, rows: IntArray, memory: LoadMemoryTable) -> IntArray:
    """Note what each row's model lacks with the shortest context; return the rows that lack nothing."""
    shortest = int(np.argmin(context.costs.contexts))
    least_memory = structs.replace(
        memory, conversations=memory.conversations[:, [shortest]], fixed=memory.fixed[:, [shortest]]
    )
    least = _total(context, b, rows, least_memory).min(axis=(0, 1), initial=np.inf)
    known = np.isfinite(least)
    short = np.where(known, np.maximum(0, least - b.usable), np.inf) if np.isfinite(b.usable) else least * 0
    context.missed.note("short_by", b.table.model[rows], short)
    enough: IntArray = rows[known & (least <= b.usable)]
    return enough


def _ranks(memory: LoadMemoryTable, place: IntArray) -> IntArray | int:
    """Return the devices that share each layer of some models: (counts, 1, rows), or 1."""
    return memory.ranks if isinstance(memory.ranks, int) else take_last_axis(memory.ranks, place)


def _total(context: SweepContext, b: DeviceBatch, rows: IntArray, memory: LoadMemoryTable) -> FloatArray:
    """Return what the fullest device takes (counts, contexts, rows) [B]."""
    place = b.table.model[rows]
    weights = weight_bytes(b.name, b.table, rows, _ranks(memory, place), b.machine)
    conversations, fixed = take_last_axis(memory.conversations, place), take_last_axis(memory.fixed, place)
    fixed = fixed + context.image_bytes(b.name, place)
    return np.asarray(fullest_device(weights, conversations, fixed, context.columns.blocks[place], b.stages))
