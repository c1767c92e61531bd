"""What one of several models may be, on each machine: feasible cells reduced to what nothing beats in memory and worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.catalog.models import ModelRecord, embedding_records, find
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import DEFAULT
from gyakusan.engines.registry import engine as find_engine
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger
from gyakusan.planning.select.ranking import CHEAPEST_WITHIN_POINTS, WEIGHTS, rank_candidates
from gyakusan.planning.select.recommend import text_model_name

STEP = 16 * 2**20
"""Memory is added up in such steps, each part rounded up: bounds the sums that can differ. [B]"""
POINT = 0.5
"""Points of quality that one point of MTEB counts for: assumed, search is a step on the way to an answer. [points]"""
BASE = "Q8_0"
"""Embedding models are small: what 8 bits lose is not seen in search."""


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One thing that a part may be. memory: on the fullest device, rounded up [STEP]; place: of its cell, -1 = embedding;

    name: of an embedding model; easy: reaches the pace of its task.
    """

    memory: int
    worth: float
    place: int
    easy: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True)
class ModelSlot:
    """One of the models. grid: of a part that answers, None for embeddings; pieces: by offer, least memory first."""

    question: PlanRequest
    grid: SweepResult | None
    pieces: tuple[tuple[ModelOption, ...], ...]


def model_slots(question: PlanRequest, columns: ModelTable, offers: Sequence[HardwareOption]) -> tuple[ModelSlot, ...]:
    """The question itself and every model beside it, on each of the machines."""
    asked = [replace(question, colocated=()), *(inherited(question, part) for part in question.colocated)]
    useful = np.zeros(0, np.int64) if question.owned else _useful(asked, columns, offers)
    return tuple(
        _embedding(part, offers) if part.task == "embedding" else _answering(part, question, columns, offers, useful)
        for part in asked
    )


def inherited(question: PlanRequest, part: PlanRequest) -> PlanRequest:
    """A part with what it leaves open taken from the whole: language, preference, engines, licences, system."""
    taken: dict[str, Any] = {"prefer": question.prefer, "os": question.os, "rates": question.rates}
    if part.language == "en":
        taken["language"] = question.language
    for name in ("engines", "licenses"):
        if not getattr(part, name):
            taken[name] = getattr(question, name)
    if part.kv_types == ("F16",):
        taken["kv_types"] = question.kv_types
    if part.model is not None:
        taken["model"] = find(part.model).name if part.task == "embedding" else text_model_name(part.model)
    return replace(part, **taken)


def shared_memory(machine: Machine) -> float:
    """What all parts may take of the smallest device. [B] Infinite if the capacity is not known."""
    devices = machine.gpus or ((machine.host,) if machine.host else ())
    known = [d.usable for d in devices if d.usable is not None]
    return float(min(known)) if known and len(known) == len(devices) else float("inf")


def _models(part: PlanRequest, columns: ModelTable) -> Any:
    return np.array(select_models(part, columns)[0], np.int64)


def _useful(asked: Sequence[PlanRequest], columns: ModelTable, offers: Sequence[HardwareOption]) -> Any:
    """Models that nothing dominates on some machine of the market: of a share of a larger one they are the best, too."""
    found: list[Any] = []
    for part in asked:
        if part.task != "embedding":
            grid = sweep(part, columns, offers, _models(part, columns), reduce=True)
            found.append(grid.models)
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _answering(
    part: PlanRequest, whole: PlanRequest, columns: ModelTable, offers: Sequence[HardwareOption], useful: Any
) -> ModelSlot:
    models = _models(part, columns)
    if not whole.owned and part.model is None:
        models = models[np.isin(models, useful)]
    grid = sweep(part, columns, offers, models, reduce=False)
    grid = replace(grid, cells=replace(grid.cells, price=np.zeros(len(grid.cells))))
    if not len(grid.cells):
        return ModelSlot(part, grid, tuple(() for _ in offers))
    r, cells = rank_candidates(part, grid), grid.cells
    memory = cells.total + _share(grid, offers)
    keep = r.eligible
    if not whole.owned and r.meets_target_speed[keep].any():  # the cheapest machine is not bought for the worst model
        keep = keep[
            cells.quality_lower[keep]
            >= float(np.max(cells.quality_lower[keep[r.meets_target_speed[keep]]])) - CHEAPEST_WITHIN_POINTS
        ]
    order = keep[np.lexsort((keep, -r.utility[keep], memory[keep]))]
    found: list[list[ModelOption]] = [[] for _ in offers]
    best = [{True: -np.inf, False: -np.inf} for _ in offers]
    for place in order.tolist():
        offer, worth, easy = int(cells.offer[place]), float(r.utility[place]), bool(r.meets_target_speed[place])
        if worth > best[offer][easy] and worth > (best[offer][True] if not easy else -np.inf):
            best[offer][easy] = worth
            found[offer].append(ModelOption(_steps(float(memory[place])), worth, place, easy))
    return ModelSlot(part, grid, tuple(tuple(p) for p in found))


def _share(grid: SweepResult, offers: Sequence[HardwareOption]) -> Any:
    """What an engine may take of a device beyond its need, as vLLM's whole percents do. [B]"""
    margins = np.array([[find_engine(e).coexisting_margin(o.machine) for o in offers] for e in grid.engines])
    return margins[grid.cells.engine, grid.cells.offer]


def _steps(memory: float) -> int:
    return int(-(-memory // STEP))


def candidates(part: PlanRequest) -> tuple[ModelRecord, ...]:
    """Embedding models of a part: the one that was named, else those with a score that know the language."""
    if part.model is not None:
        record = find(part.model)
        if record.role != "embedding":
            raise BadSetting(
                "{name} is not an embedding model.",
                name=record.name,
                known=", ".join(r.name for r in embedding_records()),
                mend="Known: {known}.",
            )
        return (record,)
    fitting = (r for r in embedding_records() if r.score and part.language in (r.languages or (part.language,)))
    return tuple(r for r in fitting if r.trained_context >= (part.context or 1))


def embedding_load(part: PlanRequest, record: ModelRecord) -> Load:
    """Inputs at the same time, each of the length that was asked for, or as long as the model reads."""
    return Load(part.users, min(part.workload.context, record.trained_context or part.workload.context))


def embedding_changes(load: Load) -> dict[str, Any]:
    """An input is computed at once: the physical batch is as long."""
    return {"batch": max(2048, int(load.context)), "ubatch": max(512, int(load.context))}


def embedding_deployment(record: ModelRecord, machine: Machine, load: Load) -> Deployment | None:
    """Return an embedding model under the usual engine, None if it refuses."""
    return catalogue_deployment(record.name, BASE, DEFAULT, machine, load, "F16", embedding_changes(load))


def _embedding(part: PlanRequest, offers: Sequence[HardwareOption]) -> ModelSlot:
    known = candidates(part)
    sizes: dict[tuple[Any, ...], tuple[ModelOption, ...]] = {}
    found = []
    for offer in offers:
        machine = _one(offer.machine)
        gpu = machine.gpus[0] if machine.gpus else None
        key = (gpu.kind, gpu.backend, gpu.memory if gpu.kind == "unified" else 0) if gpu else (offer.machine.name,)
        if key not in sizes:
            sizes[key] = _undominated([p for r in known if (p := _piece(part, r, machine)) is not None])
        found.append(sizes[key])
    return ModelSlot(part, None, tuple(found))


def _one(machine: Machine) -> Machine:
    return replace(machine, gpus=machine.gpus[:1])


def _piece(part: PlanRequest, record: ModelRecord, machine: Machine) -> ModelOption | None:
    load = embedding_load(part, record)
    ledger = exact_ledger(embedding_deployment(record, machine, load))
    if ledger is None:
        return None
    worth = WEIGHTS[part.prefer][0] * POINT * record.score / 10
    return ModelOption(_steps(float(ledger.accounts[0].total)), worth, -1, name=record.name)


def _undominated(pieces: Sequence[ModelOption]) -> tuple[ModelOption, ...]:
    kept: list[ModelOption] = []
    for piece in sorted(pieces, key=lambda p: (p.memory, -p.worth)):
        if not kept or piece.worth > kept[-1].worth:
            kept.append(piece)
    return tuple(kept)


def combinations(
    choices: Sequence[Sequence[ModelOption]], most: float
) -> tuple[tuple[int, float, tuple[ModelOption, ...]], ...]:
    """Every sum within `most` that nothing beats in memory and worth, least memory first. [STEP] Exact: a part of the best

    sum is never beaten by another of no more memory.
    """
    found: list[tuple[int, float, tuple[ModelOption, ...]]] = [(0, 0.0, ())]
    for pieces in choices:
        every = [(m + p.memory, w + p.worth, (*c, p)) for m, w, c in found for p in pieces if m + p.memory <= most]
        every.sort(key=lambda e: (e[0], -e[1]))
        found = []
        for entry in every:
            if not found or entry[1] > found[-1][1] + 1e-9:
                found.append(entry)
    return tuple(found)
