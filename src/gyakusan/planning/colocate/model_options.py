"""What each of several models may be on each machine: options that no other beats in memory and utility."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from msgspec import structs

from gyakusan.catalog.models import ModelRecord, embedding_records, find
from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import DEFAULT
from gyakusan.engines.registry import engine as find_engine
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.colocate.shared_server import SharedCandidates, groupings, shared_candidates, shared_request
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger
from gyakusan.planning.select.ranking import CHEAPEST_WITHIN_POINTS, WEIGHTS, RankingScores, rank_candidates
from gyakusan.planning.select.recommend import text_model_name

MEMORY_STEP = 16 * 2**20
"""Memory is counted in whole steps, rounded up for each model: it bounds the number of different sums. [B]"""
QUALITY_PER_MTEB_POINT = 0.5
"""Points of quality that one point of MTEB counts for. Assumed: search is one step on the way to an answer."""
EMBEDDING_QUANTIZATION = "Q8_0"
"""Embedding models are small, and the loss of 8 bits is not measurable in search."""
TIE = 1e-9
"""Utilities that differ by less are equal."""


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One model and its format, as one of several models on a machine.

    memory: on the fullest device, rounded up [MEMORY_STEP]
    utility: of quality and speed by the preference, without the price
    index: of the candidate in the sweep's result, -1 for an embedding model
    meets_target_speed: the speed of the model's task is reached
    name: of an embedding model, "" for others
    """

    memory: int
    utility: float
    index: int
    meets_target_speed: bool = True
    name: str = ""


class Combination(NamedTuple):
    """One option of each model, together on one machine.

    memory: of all [MEMORY_STEP]
    utility: of all
    options: in the order of the models
    """

    memory: int
    utility: float
    options: tuple[ModelOption, ...]


@dataclass(frozen=True, slots=True)
class ModelSlot:
    """One server: a model for one use or for several, and its options.

    request: for this server, everyone's slots in it
    uses: what it serves, as asked for
    sweep_result: of a model that answers, None for embeddings
    options: for each machine, least memory first
    """

    request: PlanRequest
    uses: tuple[PlanRequest, ...]
    sweep_result: SweepResult | None
    options: tuple[tuple[ModelOption, ...], ...]


def slot_groups(
    request: PlanRequest, columns: ModelTable, hardware: Sequence[HardwareOption]
) -> tuple[tuple[ModelSlot, ...], ...]:
    """Return every way to put the uses on servers, with the options of each server on each machine; one for each use first.

    An embedding model always has a server of its own.
    """
    requests = [structs.replace(request, colocated=()), *(inherited(request, part) for part in request.colocated)]
    undominated = None if request.owned else _undominated_models(requests, columns, hardware)
    texts = [i for i, part in enumerate(requests) if part.task != "embedding"]
    slots: dict[tuple[int, ...], ModelSlot | None] = {
        (i,): _embedding_slot(part, hardware)
        if part.task == "embedding"
        else _text_slot((part,), columns, hardware, undominated)
        for i, part in enumerate(requests)
    }
    found = []
    for grouping in groupings(len(texts)):
        groups = [tuple(texts[i] for i in group) for group in grouping]
        for group in groups:
            if group not in slots:
                slots[group] = _text_slot([requests[i] for i in group], columns, hardware, undominated)
        whole = sorted([*groups, *((i,) for i in range(len(requests)) if i not in texts)])
        servers = tuple(s for s in (slots[g] for g in whole) if s is not None)
        if len(servers) == len(whole):
            found.append(servers)
    return tuple(found)


def inherited(request: PlanRequest, part: PlanRequest) -> PlanRequest:
    """Return a part with what it leaves open from the whole: language, preference, engines, licences, system, cache."""
    changes: dict[str, Any] = {"prefer": request.prefer, "os": request.os, "rates": request.rates}
    if part.language == "en":
        changes["language"] = request.language
    for name in ("engines", "licenses"):
        if not getattr(part, name):
            changes[name] = getattr(request, name)
    if not part.kv_types:
        changes["kv_types"] = request.kv_types
    if part.model is not None:
        changes["model"] = find(part.model).name if part.task == "embedding" else text_model_name(part.model)
    return structs.replace(part, **changes)


def shared_memory(machine: Machine) -> float:
    """Return what all models together may take of the smallest device, infinite if a capacity is unknown [B]."""
    devices = machine.gpus or ((machine.host,) if machine.host else ())
    known = [d.usable for d in devices if d.usable is not None]
    return float(min(known)) if known and len(known) == len(devices) else float("inf")


def _selected_models(request: PlanRequest, columns: ModelTable) -> IntArray:
    return np.array(select_models(request, columns)[0], np.int64)


def _undominated_models(
    requests: Sequence[PlanRequest], columns: ModelTable, hardware: Sequence[HardwareOption]
) -> IntArray:
    """Return the models that are Pareto-optimal on some machine.

    Only these can be chosen: a model that is best within a part of a large machine is also best on a smaller one.
    """
    models = [
        sweep(request, columns, hardware, _selected_models(request, columns), reduce=True).models
        for request in requests
        if request.task != "embedding"
    ]
    return np.unique(np.concatenate(models)) if models else np.zeros(0, np.int64)


def _text_slot(
    uses: Sequence[PlanRequest],
    columns: ModelTable,
    hardware: Sequence[HardwareOption],
    undominated: IntArray | None,
) -> ModelSlot | None:
    """Return the options of a model that answers in every use, None if no server can be asked for all of them.

    undominated: None for a machine that is owned
    """
    parts = shared_request(uses) if len(uses) > 1 else tuple(uses)
    if not parts:
        return None
    sweeps = [_text_sweep(part, columns, hardware, undominated) for part in parts]
    if not all(len(r.cells) for r in sweeps):
        return ModelSlot(parts[0], tuple(uses), sweeps[0], tuple(() for _ in hardware))
    scores = [rank_candidates(part, r) for part, r in zip(parts, sweeps, strict=True)]
    eligible = [s.eligible if undominated is None else _near_the_best(s) for s in scores]
    shared = shared_candidates(parts, sweeps, scores, eligible)
    cells = sweeps[0].cells.take(shared.index)
    memory = cells.total + _margins(sweeps[0], hardware)[shared.index]
    options = _undominated_candidates(shared, cells.offer, memory, len(hardware))
    return ModelSlot(parts[0], tuple(uses), sweeps[0], options)


def _text_sweep(
    request: PlanRequest, columns: ModelTable, hardware: Sequence[HardwareOption], undominated: IntArray | None
) -> SweepResult:
    """Return the candidates of a use; the price is that of all together and counts later."""
    models = _selected_models(request, columns)
    if undominated is not None and request.model is None:
        models = models[np.isin(models, undominated)]
    result = sweep(request, columns, hardware, models, reduce=False)
    return structs.replace(result, cells=structs.replace(result.cells, price=np.zeros(len(result.cells))))


def _near_the_best(scores: RankingScores) -> IntArray:
    """Return the eligible candidates of nearly the best quality, so that the cheapest machine is not for the worst model."""
    eligible, quality = scores.eligible, scores.cells.quality_lower
    fast = eligible[scores.meets_target_speed[eligible]]
    if not len(fast):
        return eligible
    return eligible[quality[eligible] >= float(np.max(quality[fast])) - CHEAPEST_WITHIN_POINTS]


def _undominated_candidates(
    shared: SharedCandidates, offer: IntArray, memory: FloatArray, machines: int
) -> tuple[tuple[ModelOption, ...], ...]:
    """Return for each machine the candidates that no other beats in memory, utility and reaching the target speed."""
    order = np.lexsort((shared.index, -shared.utility, memory))
    options: list[list[ModelOption]] = [[] for _ in range(machines)]
    best_fast, best = [-np.inf] * machines, [-np.inf] * machines
    for place in order.tolist():
        machine, utility, fast = int(offer[place]), float(shared.utility[place]), bool(shared.fast[place])
        if utility <= (best_fast if fast else best)[machine]:
            continue
        best[machine] = max(best[machine], utility)
        if fast:
            best_fast[machine] = utility
        option = ModelOption(_steps(float(memory[place])), utility, int(shared.index[place]), fast)
        options[machine].append(option)
    return tuple(tuple(o) for o in options)


def _margins(result: SweepResult, hardware: Sequence[HardwareOption]) -> FloatArray:
    """Return for each candidate what its engine may take beyond its need, as vLLM's whole percents do [B]."""
    margins = np.array(
        [[find_engine(e).coexisting_margin(o.machine) for o in hardware] for e in result.engines], np.float64
    )
    each: FloatArray = margins[result.cells.engine, result.cells.offer]
    return each


def _steps(memory: float) -> int:
    """Return bytes in whole steps, rounded up."""
    return int(-(-memory // MEMORY_STEP))


def embedding_candidates(request: PlanRequest) -> tuple[ModelRecord, ...]:
    """Return the embedding model that is named, else those with a score and files that know the language. Raises BadSetting."""
    if request.model is not None:
        record = find(request.model)
        if record.role != "embedding":
            raise BadSetting(
                "{name} is not an embedding model.",
                name=record.name,
                known=", ".join(r.name for r in embedding_records()),
                mend="Known: {known}.",
            )
        return (record,)
    ready = (r for r in embedding_records() if r.score and r.gguf)  # a file that is published
    fitting = (r for r in ready if request.language in (r.languages or (request.language,)))
    return tuple(r for r in fitting if r.trained_context >= (request.context or 1))


def embedding_load(request: PlanRequest, record: ModelRecord) -> Load:
    """Return the inputs at the same time, each as long as requested or as the model reads."""
    context = request.workload.context
    return Load(request.users, min(context, record.trained_context or context))


def embedding_deployment(record: ModelRecord, machine: Machine, load: Load) -> Deployment | None:
    """Return an embedding model under the usual engine, None if it refuses."""
    changes = find_engine(DEFAULT).embedding_settings(load)
    return catalogue_deployment(record.name, EMBEDDING_QUANTIZATION, DEFAULT, machine, load, "F16", changes)


def _embedding_slot(request: PlanRequest, hardware: Sequence[HardwareOption]) -> ModelSlot:
    """Return the options of an embedding model; it runs on one device, so machines with the same device share them."""
    records = embedding_candidates(request)
    by_device: dict[Hashable, tuple[ModelOption, ...]] = {}
    options = []
    for option in hardware:
        machine = structs.replace(option.machine, gpus=option.machine.gpus[:1])
        gpu = machine.gpus[0] if machine.gpus else None
        key = (gpu.kind, gpu.backend, gpu.memory if gpu.kind == "unified" else 0) if gpu else machine.name
        if key not in by_device:
            by_device[key] = _undominated(_embedding_options(request, records, machine))
        options.append(by_device[key])
    return ModelSlot(request, (request,), None, tuple(options))


def _embedding_options(request: PlanRequest, records: Sequence[ModelRecord], machine: Machine) -> Iterator[ModelOption]:
    for record in records:
        ledger = exact_ledger(embedding_deployment(record, machine, embedding_load(request, record)))
        if ledger is not None:
            utility = WEIGHTS[request.prefer][0] * QUALITY_PER_MTEB_POINT * record.score / 10
            yield ModelOption(_steps(float(ledger.accounts[0].total)), utility, -1, name=record.name)


def _undominated(options: Iterator[ModelOption]) -> tuple[ModelOption, ...]:
    """Return the options that none of no more memory beats in utility, least memory first."""
    best: list[ModelOption] = []
    for option in sorted(options, key=lambda o: (o.memory, -o.utility)):
        if not best or option.utility > best[-1].utility:
            best.append(option)
    return tuple(best)


def combinations(choices: Sequence[Sequence[ModelOption]], memory: float) -> tuple[Combination, ...]:
    """Return the combinations within `memory` that no other beats in memory and utility, least memory first.

    choices: the options of each model
    memory: that all may take together [MEMORY_STEP]

    Exact: the options of the first models in a best combination are a best combination of these models themselves.
    """
    best = [Combination(0, 0.0, ())]
    for options in choices:
        extended = [
            Combination(c.memory + o.memory, c.utility + o.utility, (*c.options, o))
            for c in best
            for o in options
            if c.memory + o.memory <= memory
        ]
        best = []
        for combination in sorted(extended, key=lambda c: (c.memory, -c.utility)):
            if not best or combination.utility > best[-1].utility + TIE:
                best.append(combination)
    return tuple(best)
