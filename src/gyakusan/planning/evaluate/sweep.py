"""Evaluate every model x quantisation x engine x KV cache x machine: bytes, speed, quality and price as columns.

It goes batch by batch, one device (1 to 8 of it) under one engine, so that the memory of the computation is bounded. Of
machines to buy, only what nothing on the same machine dominates is kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from msgspec import Struct, structs

from gyakusan.catalog.models import find
from gyakusan.catalog.projectors import projector_of
from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.core.broadcast import ceil_div
from gyakusan.core.machine import Machine
from gyakusan.engines.registry import engine as find_engine
from gyakusan.engines.registry import usual_engines
from gyakusan.message import Message
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import SCORES, ModelTable
from gyakusan.planning.candidates.reasoning_modes import EVIDENCE_TIERS, mode_table, settable_modes
from gyakusan.planning.evaluate.batch_candidates import batch_candidates
from gyakusan.planning.evaluate.batch_speed import WorkloadCosts
from gyakusan.planning.evaluate.device_batch import DeviceBatch, SweepContext
from gyakusan.planning.evaluate.load_memory import LoadMemoryCache
from gyakusan.planning.evaluate.pareto import best_by_case, pareto_by_case
from gyakusan.planning.evaluate.results import CandidateColumns, SweepResult, concatenate, no_misses
from gyakusan.planning.predict.speed_inputs import chip_of
from gyakusan.planning.request.request import PlanRequest

IMAGE_COMPUTE = 256 * 2**20
"""Compute buffer of a projector, as the engines' ledgers take it where it was not read [B]."""
REPLICAS = (2, 4, 8)
"""Copies of a dense model that one server may run. Of models with experts vLLM's copies are not independent: their expert
layers form one group over all GPUs (docs.vllm.ai, v0.12.0 and latest, serving/data_parallel_deployment), whose speed nobody
measured for us."""
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
    alone: bool = False,
    first: bool = False,
) -> SweepResult:
    """Evaluate every candidate of some models on some machines.

    models: places in `columns.models` (asked,); reduce: keep of each machine only what nothing on it dominates; contexts:
    instead of the question's [tokens]; alone: the model has the machine to itself, so that where it does not fit a smaller
    cache and a part of it in RAM are tried, and several copies of it, too; first: end at the first device with a candidate.
    """
    engines, groups = question.engines or usual_engines(), _groups(offers)
    able = [n for n in engines if any(_refusal(n, offers[g[0]].machine, question) is None for g in groups)]
    context = _context(question, columns, models, able, contexts or (question.workload.context,), reduce)
    shared = _with_replicas(structs.replace(context, alone=alone))
    if len(groups) > MANY_DEVICES:
        _keep_freed_memory()
    twins: dict[Hashable, _DeviceResult] = {}
    parts, count, refused, runs = [], 0, dict[str, Message](), set[str]()
    for places in groups:
        group = [offers[i] for i in places]
        key = _twin_key(group)
        result = twins[key] = twins.get(key) or _evaluate_device(shared, engines, group)
        parts.append(_placed(result.cells, group, places))
        if first and len(result.cells):
            break
        count, refused, runs = count + result.count, {**result.refused, **refused}, runs | result.runs
    never = tuple((n, r) for n, r in refused.items() if n not in runs)
    return SweepResult(columns, tuple(offers), engines, concatenate(parts), context.missed, count, never)


def _keep_freed_memory() -> None:
    """Make the C library keep what arrays give back: else every megabyte is fetched from the system again.

    glibc's limit follows the largest piece that was freed; elsewhere this does nothing.
    """
    np.empty(RESERVED_HEAP, np.uint8)


class _DeviceResult(Struct, frozen=True):
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
    plain = structs.replace(
        gpu, name="", vendor="", source="", checked="", prices=(), power=None, released="", reserved_reason=None
    )
    return tuple(o.count for o in group), plain, chip.name if chip else gpu.name, _ram(first.machine)


def _ram(machine: Machine) -> tuple[int | None, int | None] | None:
    """Return capacity and usable bytes of the RAM beside the GPUs, None if there is none [B]."""
    return None if machine.host is None else (machine.host.memory, machine.host.usable)


def _placed(cells: CandidateColumns, group: Sequence[HardwareOption], places: Sequence[int]) -> CandidateColumns:
    """Return the candidates with the places and the prices of their offers: infinite = not known, 0 = owned [JPY]."""
    prices = np.array([0.0 if o.owned else np.inf if o.price is None else o.price for o in group])
    return structs.replace(cells, offer=np.array(places, np.int64)[cells.offer], price=prices[cells.offer])


def _evaluate_device(
    contexts: Mapping[int, SweepContext], engines: Sequence[str], group: Sequence[HardwareOption]
) -> _DeviceResult:
    """Evaluate one device under every engine. contexts: copies of a model in one server -> what the sweep shares for them."""
    context = contexts[1]
    parts, count = list[CandidateColumns](), 0
    refused, runs = dict[str, Message](), set[str]()
    for number, name in enumerate(engines):
        reason = _refusal(name, group[0].machine, context.question)
        if reason is not None:
            refused[name] = reason
            continue
        runs.add(name)
        for replicas, shared in contexts.items():
            batch = _batch(name, number, group, context.columns).with_replicas(replicas)
            if batch is not None:
                cells, tried = batch_candidates(shared, batch)
                count += tried
                parts += [_of_group(c, batch, group) for c in cells]
    whole = concatenate(parts)
    if context.reduce and len(parts) > 1:
        # Each cache by itself: the larger one beats its twin here, and may yet not fit at the high end of doubt.
        case = (whole.offer, whole.context, whole.tier + EVIDENCE_TIERS * whole.kv)
        undominated = pareto_by_case(*case, whole.quality_lower, whole.expected_visible_tokens_per_s)
        whole = whole.take(np.union1d(undominated, best_by_case(*case, whole.quality)))
    return _DeviceResult(whole, count, frozenset(runs), refused)


def _refusal(engine: str, machine: Machine, question: PlanRequest) -> Message | None:
    """Return why an engine runs no model at all on a machine, None if it does."""
    return find_engine(engine).machine_refusal(machine, question.os)


def _groups(offers: Sequence[HardwareOption]) -> list[list[int]]:
    """Return places of offers that differ only in how many of a device they have, in the order of the first."""
    groups: dict[int, list[int]] = {}
    for place, offer in enumerate(offers):
        gpus = offer.machine.gpus
        alike = bool(gpus) and all(g is gpus[0] for g in gpus) and not offer.owned
        groups.setdefault(id(gpus[0]) if alike else -place - 1, []).append(place)
    return [sorted(p, key=lambda i: offers[i].count) for p in groups.values()]


def _of_group(cells: CandidateColumns, batch: DeviceBatch, group: Sequence[HardwareOption]) -> CandidateColumns:
    """Return the candidates with `offer` as the place in the group instead of the batch."""
    if len(batch.offers) == len(group):
        return cells
    place = {id(o): i for i, o in enumerate(group)}
    return structs.replace(cells, offer=np.array([place[id(o)] for o in batch.offers], np.int64)[cells.offer])


def _with_replicas(context: SweepContext) -> dict[int, SweepContext]:
    """Return what the sweep shares for one copy of a model and for several, each of which serves its share of the users."""
    users = context.question.users
    return {1: context, **{n: _of_one_replica(context, n) for n in REPLICAS if context.alone and n <= users}}


def _of_one_replica(context: SweepContext, replicas: int) -> SweepContext:
    """Return what the sweep shares for one of several copies of a model."""
    question, costs = structs.replace(context.question, users=ceil_div(context.question.users, replicas)), context.costs
    columns, dense = context.columns, np.asarray(context.columns.shapes.experts) <= 1
    return structs.replace(
        context,
        question=question,
        load_memory=LoadMemoryCache(columns, question.users, costs.contexts),
        costs=WorkloadCosts(columns, costs.models, question.users, costs.prompt, costs.answer, costs.contexts),
        rows={storage: rows[dense[columns.tables[storage].model[rows]]] for storage, rows in context.rows.items()},
    )


def _context(
    question: PlanRequest,
    columns: ModelTable,
    models: IntArray,
    able: Sequence[str],
    contexts: Sequence[int],
    reduce: bool,
) -> SweepContext:
    """Return what the sweep shares. able: engines that run on one of its devices: no other reads its table."""
    workload, lengths = question.workload, np.array(contexts, np.int64)
    modes = mode_table(columns, SCORES.index(workload.quality_metric), question.task)
    tables = {table.storage: table for table in map(columns.of_engine, able)}
    return SweepContext(
        question=question,
        columns=columns,
        load_memory=LoadMemoryCache(columns, question.users, lengths),
        costs=WorkloadCosts(columns, models, question.users, workload.prompt_tokens, workload.output_tokens, lengths),
        missed=no_misses(len(columns.models)),
        modes=modes,
        settable={name: settable_modes(columns, name) for name in able},
        reduce=reduce,
        rows={storage: np.flatnonzero(np.isin(table.model, models)) for storage, table in tables.items()},
        projector_bytes=_image_bytes(columns, models) if question.images else None,
        ordered={storage: modes.ordered(table) for storage, table in tables.items()} if reduce else {},
    )


def _image_bytes(columns: ModelTable, models: IntArray) -> FloatArray:
    """Return what the part that reads images takes, with a compute buffer; 0 of models that nobody asks for (models,) [B]."""
    out = np.zeros(len(columns.models))
    for place in models.tolist():
        found = projector_of(find(columns.models[place].name), "")
        out[place] = found.bytes + IMAGE_COMPUTE if found is not None else 0.0
    return out


def _batch(name: str, number: int, group: Sequence[HardwareOption], columns: ModelTable) -> DeviceBatch:
    counts = np.array([o.count for o in group], np.int64)
    usable = find_engine(name).usable(group[0].machine)
    return DeviceBatch(name, number, group, columns.of_engine(name), counts, usable)
