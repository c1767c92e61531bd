"""Evaluate every model x quantisation x engine x KV cache x machine: bytes, speed, quality and price as columns.

It goes batch by batch, one device (1 to 8 of it) under one engine, so that the memory of the computation is bounded. Of
machines to buy, only what nothing on the same machine dominates is kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.engines.registry import engine as find_engine
from gyakusan.engines.registry import usual_engines
from gyakusan.message import Message
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import SCORES, ModelTable
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

MANY_DEVICES, RESERVED_HEAP = 32, 31 * 2**20
"""Devices from which on it pays to keep freed memory, and how much of it [B]."""


def sweep(
    question: PlanRequest,
    columns: ModelTable,
    offers: Sequence[HardwareOption],
    models: IntArray,
    *,
    reduce: bool,
    contexts: Sequence[int] = (),
) -> SweepResult:
    """Evaluate every candidate of some models on some machines.

    models: places in `columns.models` (asked,); reduce: keep of each machine only what nothing on it dominates; contexts:
    instead of the question's [tokens].
    """
    engines, groups = question.engines or usual_engines(), _groups(offers)
    context = _context(question, columns, models, engines, contexts or (question.workload.context,), reduce)
    if len(groups) > MANY_DEVICES:
        _keep_freed_memory()
    twins: dict[Hashable, _DeviceResult] = {}
    parts, count, refused, runs = [], 0, dict[str, Message](), set[str]()
    for places in groups:
        group = [offers[i] for i in places]
        key = _twin_key(group)
        result = twins[key] = twins.get(key) or _evaluate_device(context, engines, group)
        parts.append(_placed(result.cells, group, places))
        count, refused, runs = count + result.count, {**result.refused, **refused}, runs | result.runs
    never = tuple((n, r) for n, r in refused.items() if n not in runs)
    return SweepResult(columns, tuple(offers), engines, concatenate(parts), context.missed, count, never)


def _keep_freed_memory() -> None:
    """Make the C library keep what arrays give back: else every megabyte is fetched from the system again.

    glibc's limit follows the largest piece that was freed; elsewhere this does nothing.
    """
    np.empty(RESERVED_HEAP, np.uint8)


@dataclass(frozen=True, slots=True)
class _DeviceResult:
    """What became of one device: candidates whose `offer` counts within the group, engines that run, others with a reason."""

    cells: CandidateColumns
    count: int
    runs: frozenset[str]
    refused: Mapping[str, Message]


def _twin_key(group: Sequence[HardwareOption]) -> Hashable:
    """Return a cache key: two groups with the same key give the same results; only name and price may differ."""
    first = group[0]
    if first.owned or not first.machine.gpus or any(g != first.machine.gpus[0] for g in first.machine.gpus):
        return id(first)
    gpu, chip = first.machine.gpus[0], chip_of(first.machine)
    plain = replace(
        gpu, name="", vendor="", source="", checked="", prices=(), power=None, released="", reserved_reason=None
    )
    return tuple(o.count for o in group), plain, chip.name if chip else gpu.name, first.machine.host is None


def _placed(cells: CandidateColumns, group: Sequence[HardwareOption], places: Sequence[int]) -> CandidateColumns:
    """Return the candidates with the places and the prices of their offers: infinite = not known, 0 = owned [JPY]."""
    prices = np.array([0.0 if o.owned else np.inf if o.price is None else o.price for o in group])
    return replace(cells, offer=np.array(places, np.int64)[cells.offer], price=prices[cells.offer])


def _evaluate_device(context: SweepContext, engines: Sequence[str], group: Sequence[HardwareOption]) -> _DeviceResult:
    """Evaluate one device under every engine."""
    parts, count = list[CandidateColumns](), 0
    refused, runs = dict[str, Message](), set[str]()
    for number, name in enumerate(engines):
        reason = find_engine(name).machine_refusal(group[0].machine, context.question.os)
        if reason is not None:
            refused[name] = reason
            continue
        runs.add(name)
        cells, tried = _evaluate_batch(context, _batch(name, number, group, context.columns))
        count += tried
        parts += cells
    whole = concatenate(parts)
    if context.reduce and len(parts) > 1:
        case = (whole.offer, whole.context, whole.tier)
        whole = whole.take(pareto_by_case(*case, whole.quality_lower, whole.visible_tokens_per_s))
    return _DeviceResult(whole, count, frozenset(runs), refused)


def _groups(offers: Sequence[HardwareOption]) -> list[list[int]]:
    """Return places of offers that differ only in how many of a device they have, in the order of the first."""
    groups: dict[int, list[int]] = {}
    for place, offer in enumerate(offers):
        gpus = offer.machine.gpus
        alike = bool(gpus) and all(g is gpus[0] for g in gpus) and not offer.owned
        groups.setdefault(id(gpus[0]) if alike else -place - 1, []).append(place)
    return [sorted(p, key=lambda i: offers[i].count) for p in groups.values()]


def _context(
    question: PlanRequest,
    columns: ModelTable,
    models: IntArray,
    engines: Sequence[str],
    contexts: Sequence[int],
    reduce: bool,
) -> SweepContext:
    workload, lengths = question.workload, np.array(contexts, np.int64)
    modes = mode_table(columns, SCORES.index(workload.quality_metric))
    tables = {table.storage: table for table in map(columns.of_engine, engines)}
    return SweepContext(
        question=question,
        columns=columns,
        load_memory=LoadMemoryCache(columns, question.users, lengths),
        costs=WorkloadCosts(columns, models, question.users, workload.prompt_tokens, workload.output_tokens, lengths),
        missed=no_misses(len(columns.models)),
        modes=modes,
        reduce=reduce,
        rows={storage: np.flatnonzero(np.isin(table.model, models)) for storage, table in tables.items()},
        ordered={storage: modes.ordered(table) for storage, table in tables.items()} if reduce else {},
    )


def _batch(name: str, number: int, group: Sequence[HardwareOption], columns: ModelTable) -> DeviceBatch:
    counts = np.array([o.count for o in group], np.int64)
    usable = find_engine(name).usable(group[0].machine)
    return DeviceBatch(name, number, group, columns.of_engine(name), counts, usable)


def _evaluate_batch(context: SweepContext, b: DeviceBatch) -> tuple[list[CandidateColumns], int]:
    """Return the feasible candidates of a batch for each type of cache, and how many were evaluated."""
    rows = context.rows[b.table.storage]
    least = _least_weights(b, rows)
    hopeful = rows[least <= b.usable] if b.machine.gpus else rows
    models = b.table.model
    wanted = np.flatnonzero(np.bincount(models[hopeful], minlength=len(context.columns.models)))
    # A model none of whose formats may fit lacks this at least; of the others the whole need is noted below.
    hopeless = ~np.isin(models[rows], wanted)
    context.missed.note("short_by", models[rows[hopeless]], (least[hopeless] - b.usable).astype(np.float64))
    parts = []
    for kv, kind in enumerate(context.question.kv_types):
        memory = context.load_memory.of(b.name, kind, b.offers, wanted)
        parts.append(_feasible(context, b, hopeful, memory, kv))
    return parts, len(rows) * len(b.counts) * len(context.costs.contexts) * len(context.question.kv_types)


def _least_weights(b: DeviceBatch, rows: IntArray) -> IntArray:
    """Return what weights alone take at least on one device of the largest machine (rows,) [B]."""
    most = int(b.counts.max())
    if find_engine(b.name).MULTI_GPU == "tensor":
        return weight_bytes(b.name, b.table, rows, min(most, b.table.shares.shape[1]), b.machine)
    return weight_bytes(b.name, b.table, rows, 1, b.machine) // most


def _feasible(
    context: SweepContext, b: DeviceBatch, rows: IntArray, memory: LoadMemoryTable, kv: int
) -> CandidateColumns:
    """Return the candidates that fit, as columns."""
    shortest = int(np.argmin(context.costs.contexts))
    least_memory = replace(memory, conversations=memory.conversations[:, [shortest]], fixed=memory.fixed[:, [shortest]])
    least = _total(context, b, rows, least_memory).min(axis=(0, 1), initial=np.inf)
    known = np.isfinite(least)
    short = np.where(known, np.maximum(0, least - b.usable), np.inf) if np.isfinite(b.usable) else least * 0
    context.missed.note("short_by", b.table.model[rows], short)
    rows = rows[known & (least <= b.usable)]
    place, shape = b.table.model[rows], (len(b.counts), len(context.costs.contexts), len(rows))
    total = np.broadcast_to(_total(context, b, rows, memory), shape)
    fitting = FeasibleBatch(
        batch=b,
        kv=kv,
        rows=rows,
        fits=total <= min(b.usable, np.finfo(float).max),  # what is refused takes infinitely much
        total=total,
        user_bytes=take_last_axis(memory.conversations, place) / context.question.users,
        ranks=_ranks(memory, place),
    )
    return pareto_optimal(context, fitting) if context.reduce else all_feasible(context, fitting)


def _ranks(memory: LoadMemoryTable, place: IntArray) -> IntArray | int:
    """Return the devices that share each layer of some models: (counts, 1, rows), or 1."""
    return memory.ranks if isinstance(memory.ranks, int) else take_last_axis(memory.ranks, place)


def _total(context: SweepContext, b: DeviceBatch, rows: IntArray, memory: LoadMemoryTable) -> FloatArray:
    """Return what the fullest device takes (counts, contexts, rows) [B]."""
    place = b.table.model[rows]
    weights = weight_bytes(b.name, b.table, rows, _ranks(memory, place), b.machine)
    conversations, fixed = take_last_axis(memory.conversations, place), take_last_axis(memory.fixed, place)
    return np.asarray(fullest_device(weights, conversations, fixed, context.columns.blocks[place], b.stages))
