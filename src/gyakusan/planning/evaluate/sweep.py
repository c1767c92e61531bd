"""Every model x quantisation x engine x cache x machine: bytes, speed, quality and price as columns, in blocks.

A block is one device (1 to 8 of it) under one engine, so that the memory of the computation is bounded; of machines that are
bought only what nothing on the same machine dominates is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.engines.registry import engine as find_engine
from gyakusan.engines.registry import usual_engines
from gyakusan.message import Message
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import SCORES, ModelTable, VariantTable
from gyakusan.planning.candidates.reasoning_modes import mode_table
from gyakusan.planning.evaluate.batch_speed import WorkloadCosts
from gyakusan.planning.evaluate.device_batch import DeviceBatch, FeasibleBatch, SweepContext, take_last_axis
from gyakusan.planning.evaluate.engine_memory import fullest_device, weight_bytes
from gyakusan.planning.evaluate.load_memory import LoadMemoryCache, LoadMemoryTable
from gyakusan.planning.evaluate.pareto import pareto_by_case
from gyakusan.planning.evaluate.pareto_filter import all_feasible, pareto_optimal
from gyakusan.planning.evaluate.results import CandidateColumns, SweepResult, concatenate, no_misses
from gyakusan.planning.predict.speed_inputs import chip_of
from gyakusan.planning.request.request import PlanRequest

Array = Any

FEW, HELD = 32, 31 * 2**20
"""Devices from which on it pays to hold memory, and how much. [B]"""


def sweep(
    question: PlanRequest,
    columns: ModelTable,
    offers: Sequence[HardwareOption],
    models: Array,
    *,
    reduce: bool,
    contexts: Sequence[int] = (),
) -> SweepResult:
    """Every cell of the models at these places. reduce: keep of each machine only what nothing on it dominates.

    contexts: instead of the question's [tokens].
    """
    scene = _scene(question, columns, models, contexts or (question.workload.context,), reduce)
    engines, groups = question.engines or usual_engines(), _groups(offers)
    if len(groups) > FEW:
        _hold_memory()
    twins: dict[Any, _Part] = {}
    parts, count, refused, runs = [], 0, dict[str, Message](), set[str]()
    for places in groups:
        group = [offers[i] for i in places]
        key = _twin(group)
        part = twins[key] = twins.get(key) or _device(scene, engines, group)
        parts.append(_placed(part.cells, group, places))
        count, refused, runs = count + part.count, {**part.refused, **refused}, runs | part.runs
    left = tuple((n, r) for n, r in refused.items() if n not in runs)
    return SweepResult(columns, tuple(offers), engines, concatenate(parts), scene.missed, count, left)


def _hold_memory() -> None:
    """Has the C library keep what arrays give back: else every megabyte is fetched from the system again.

    glibc's limit follows the largest piece that was freed; elsewhere this does nothing.
    """
    np.empty(HELD, np.uint8)


@dataclass(frozen=True, slots=True)
class _Part:
    """What became of one device. cells: `offer` counts within the group; runs: engines that it runs; refused: the others,

    with the reason.
    """

    cells: CandidateColumns
    count: int
    runs: frozenset[str]
    refused: Mapping[str, Message]


def _twin(group: Sequence[HardwareOption]) -> Any:
    """Equal for machines that differ in name and price only."""
    first = group[0]
    if first.owned or not first.machine.gpus or any(g != first.machine.gpus[0] for g in first.machine.gpus):
        return id(first)
    gpu, found = first.machine.gpus[0], chip_of(first.machine)
    plain = replace(
        gpu, name="", vendor="", source="", checked="", prices=(), power=None, released="", reserved_reason=None
    )
    return tuple(o.count for o in group), plain, found.name if found else gpu.name, first.machine.host is None


def _placed(cells: CandidateColumns, group: Sequence[HardwareOption], places: Sequence[int]) -> CandidateColumns:
    """With the places and the prices of offers: inf = not known, 0 = owned. [JPY]"""
    prices = np.array([0.0 if o.owned else np.inf if o.price is None else o.price for o in group])
    return replace(cells, offer=np.array(places, np.int64)[cells.offer], price=prices[cells.offer])


def _device(scene: SweepContext, engines: Sequence[str], group: Sequence[HardwareOption]) -> _Part:
    """One device under every engine."""
    mine, count = list[CandidateColumns](), 0
    refused, runs = dict[str, Message](), set[str]()
    for number, name in enumerate(engines):
        reason = find_engine(name).machine_refusal(group[0].machine, scene.question.os)
        if reason is not None:
            refused[name] = reason
            continue
        runs.add(name)
        cells, tried = _evaluated(scene, _block(name, number, group, scene.columns))
        count += tried
        mine += cells
    whole = concatenate(mine)
    return _Part(_best(whole) if scene.reduce and len(mine) > 1 else whole, count, frozenset(runs), refused)


def _best(cells: CandidateColumns) -> CandidateColumns:
    """What nothing in another engine dominates."""
    return cells.take(
        pareto_by_case(cells.offer, cells.context, cells.tier, cells.quality_lower, cells.visible_tokens_per_s)
    )


def _groups(offers: Sequence[HardwareOption]) -> list[list[int]]:
    """Places of offers that differ only in how many of a device they have, in the order of the first."""
    found: dict[Any, list[int]] = {}
    for place, offer in enumerate(offers):
        gpus = offer.machine.gpus
        alike = bool(gpus) and all(g is gpus[0] for g in gpus) and not offer.owned
        found.setdefault(id(gpus[0]) if alike else -place - 1, []).append(place)
    return [sorted(p, key=lambda i: offers[i].count) for p in found.values()]


def _scene(
    question: PlanRequest, columns: ModelTable, models: Array, contexts: Sequence[int], reduce: bool
) -> SweepContext:
    workload, lengths = question.workload, np.array(contexts, np.int64)
    return SweepContext(
        question,
        columns,
        LoadMemoryCache(columns, question.users, lengths),
        WorkloadCosts(columns, models, question.users, workload.prompt_tokens, workload.output_tokens, lengths),
        no_misses(len(columns.models)),
        models,
        mode_table(columns, SCORES.index(workload.quality_metric)),
        reduce,
        {},
        {},
    )


def _block(name: str, number: int, group: Sequence[HardwareOption], columns: ModelTable) -> DeviceBatch:
    counts = np.array([o.count for o in group], np.int64)
    usable = find_engine(name).usable(group[0].machine)
    return DeviceBatch(name, number, group, columns.of_engine(name), counts, usable)


def _evaluated(scene: SweepContext, b: DeviceBatch) -> tuple[list[CandidateColumns], int]:
    """Feasible cells of a block, for each type of cache; and how many cells were evaluated."""
    rows = _rows(scene, b.table)
    least = _least(b, rows)
    hopeful = rows[least <= b.usable] if b.machine.gpus else rows
    scene.note("short_by", b.table.model[rows], np.where(least <= b.usable, np.inf, least - b.usable))
    wanted = np.flatnonzero(np.bincount(b.table.model[hopeful], minlength=len(scene.columns.models)))
    parts = []
    for kv, kind in enumerate(scene.question.kv_types):
        held = scene.rests.of(b.name, kind, b.offers, wanted)
        parts.append(_cells(scene, b, hopeful, held, kv))
    return parts, len(rows) * len(b.counts) * len(scene.figures.contexts) * len(scene.question.kv_types)


def _rows(scene: SweepContext, table: VariantTable) -> Array:
    """Rows of the models that are asked about."""
    if table.storage not in scene.rows:
        scene.rows[table.storage] = np.flatnonzero(np.isin(table.model, scene.models))
    return scene.rows[table.storage]


def _least(b: DeviceBatch, rows: Array) -> Array:
    """What weights alone take on one device of the largest machine, at least. [B]"""
    most = int(b.counts.max())
    if find_engine(b.name).MULTI_GPU == "tensor":
        return weight_bytes(b.name, b.table, rows, min(most, b.table.shares.shape[1]), b.machine)
    return weight_bytes(b.name, b.table, rows, 1, b.machine) // most


def _cells(scene: SweepContext, b: DeviceBatch, rows: Array, held: LoadMemoryTable, kv: int) -> CandidateColumns:
    """Columns of what fits."""
    shortest = int(np.argmin(scene.figures.contexts))
    nearest = replace(held, conversations=held.conversations[:, [shortest]], fixed=held.fixed[:, [shortest]])
    least = _total(scene, b, rows, nearest).min(axis=(0, 1), initial=np.inf)
    known = np.isfinite(least)
    short = np.where(known, np.maximum(0, least - b.usable), np.inf) if np.isfinite(b.usable) else least * 0
    scene.note("short_by", b.table.model[rows], short)
    rows = rows[known & (least <= b.usable)]
    place, shape = b.table.model[rows], (len(b.counts), len(scene.figures.contexts), len(rows))
    total = np.broadcast_to(_total(scene, b, rows, held), shape)
    fits = total <= min(b.usable, np.finfo(float).max)  # what is refused takes infinitely much
    ranks = held.ranks if isinstance(held.ranks, int) else take_last_axis(held.ranks, place)
    fitting = FeasibleBatch(
        b, kv, rows, fits, total, take_last_axis(held.conversations, place) / scene.question.users, ranks
    )
    return pareto_optimal(scene, fitting) if scene.reduce else all_feasible(scene, fitting)


def _total(scene: SweepContext, b: DeviceBatch, rows: Array, held: LoadMemoryTable) -> Array:
    """What the fullest device takes. [B]"""
    place = b.table.model[rows]
    ranks = held.ranks if isinstance(held.ranks, int) else take_last_axis(held.ranks, place)
    weights = weight_bytes(b.name, b.table, rows, ranks, b.machine)
    conversations, fixed = take_last_axis(held.conversations, place), take_last_axis(held.fixed, place)
    return fullest_device(weights, conversations, fixed, scene.columns.blocks[place], b.split)
