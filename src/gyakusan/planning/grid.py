"""Every model x quantisation x engine x cache x machine: bytes, speed, quality and price as columns, in blocks.

A block is one device (1 to 8 of it) under one engine, so that the memory of the computation is bounded; of machines that are
bought only what nothing on the same machine dominates is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.base import engine as find_engine
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say
from gyakusan.planning import memory
from gyakusan.planning.block import Block, Fitting, Scene, taken
from gyakusan.planning.cells import Cells, Grid, joined, nothing_yet
from gyakusan.planning.columns import FAMILY, SCORES, Columns, Table
from gyakusan.planning.frontier import by_case
from gyakusan.planning.held import Held
from gyakusan.planning.kept import every, undominated
from gyakusan.planning.measure import RANKS
from gyakusan.planning.modes import modes
from gyakusan.planning.offers import Offer
from gyakusan.planning.question import Question
from gyakusan.planning.rests import Rests
from gyakusan.planning.sharing import ENGINE as SHARING
from gyakusan.planning.speed import Figures

Array = Any
USUAL_ENGINES = ("llama.cpp", "vLLM", "MLX-LM")
"""Tried where nobody names an engine. Ollama runs llama.cpp, and keeps 1 GiB more free: it is priced when asked for."""
SAMPLE = "llama3.1-8b"
"""A model that every engine runs: what refuses it, the machine does."""

FEW, MOST_THREADS = 32, 4
"""Below so many devices threads cost more than they save; more than so many wait for Python's lock."""


def evaluate(
    question: Question,
    columns: Columns,
    offers: Sequence[Offer],
    models: Array,
    *,
    reduce: bool,
    contexts: Sequence[int] = (),
) -> Grid:
    """Every cell of the models at these places. reduce: keep of each machine only what nothing on it dominates.

    contexts: instead of the question's [tokens].
    """
    scene = _scene(question, columns, models, contexts or (question.usual.context,), reduce)
    engines = question.engines or USUAL_ENGINES
    found = _spread(lambda places: _device(scene, engines, offers, places), _groups(offers))
    refused: dict[str, Message] = {}
    for part in found:
        refused = {**part.refused, **refused}
    left = tuple((n, r) for n, r in refused.items() if not any(n in part.runs for part in found))
    cells, count = joined([part.cells for part in found]), sum(part.count for part in found)
    return Grid(columns, tuple(offers), engines, cells, scene.missed, count, left)


@dataclass(frozen=True, slots=True)
class _Part:
    """What became of one device. runs: engines that it runs; refused: the others, with the reason."""

    cells: Cells
    count: int
    runs: frozenset[str]
    refused: Mapping[str, Message]


def _spread(work: Callable[[list[int]], _Part], groups: list[list[int]]) -> list[_Part]:
    """Every group, several at the same time where there are many: numpy computes outside Python's lock."""
    if len(groups) < FEW:
        return [work(g) for g in groups]
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, groups))


def _device(scene: Scene, engines: Sequence[str], offers: Sequence[Offer], places: list[int]) -> _Part:
    """One device under every engine."""
    group, mine, count = [offers[i] for i in places], list[Cells](), 0
    refused, runs = dict[str, Message](), set[str]()
    for number, name in enumerate(engines):
        reason = refusal(name, group[0].machine, scene.question, scene.columns)
        if reason is not None:
            refused[name] = reason
            continue
        runs.add(name)
        cells, tried = _evaluated(scene, _block(name, number, group, places, scene.columns))
        count += tried
        mine += cells
    whole = joined(mine)
    return _Part(_best(whole) if scene.reduce and len(mine) > 1 else whole, count, frozenset(runs), refused)


def _best(cells: Cells) -> Cells:
    """What nothing in another engine dominates."""
    return cells.take(by_case(cells.offer, cells.context, cells.tier, cells.sure, cells.useful))


def refusal(name: str, machine: Machine, question: Question, columns: Columns) -> Message | None:
    """Why an engine does not run on a machine at all, None if it does."""
    if question.os == "windows" and name == "vLLM":
        return say("vLLM does not run under Windows itself.")
    if name in ("llama.cpp", "Ollama"):
        return None
    if name == "MLX-LM":
        apple = bool(machine.gpus) and machine.gpus[0].backend == "metal"
        return None if apple else say("MLX-LM needs Apple silicon; {name} has none.", name=machine.name)
    sample = columns.models[columns.places.get(SAMPLE, 0)].model
    rules, machine = find_engine(name), replace(machine, gpus=machine.gpus[:1])
    try:
        asked = {"quantization": "none"} if name == "vLLM" else {}
        found = rules.refusals(sample, machine, rules.settings(sample, Load(1, 1024), machine, **asked))
    except BadSetting as error:
        return error.message
    return found[0] if found else None


def _groups(offers: Sequence[Offer]) -> list[list[int]]:
    """Places of offers that differ only in how many of a device they have, in the order of the first."""
    found: dict[Any, list[int]] = {}
    for place, offer in enumerate(offers):
        gpus = offer.machine.gpus
        alike = bool(gpus) and all(g is gpus[0] for g in gpus) and not offer.owned
        found.setdefault(id(gpus[0]) if alike else -place - 1, []).append(place)
    return [sorted(p, key=lambda i: offers[i].count) for p in found.values()]


def _scene(question: Question, columns: Columns, models: Array, contexts: Sequence[int], reduce: bool) -> Scene:
    usual, lengths = question.usual, np.array(contexts, np.int64)
    return Scene(
        question,
        columns,
        Rests(columns, question.users, lengths),
        Figures(columns, models, question.users, usual.prompt, usual.answer, lengths),
        nothing_yet(len(columns.models)),
        models,
        modes(columns, SCORES.index(usual.score)),
        reduce,
        {},
        {},
    )


def _block(name: str, number: int, group: Sequence[Offer], places: Sequence[int], columns: Columns) -> Block:
    counts = np.array([o.count for o in group], np.int64)
    usable = memory.usable(name, group[0].machine)
    return Block(name, number, group, places, columns.tables[FAMILY[name]], counts, usable)


def _evaluated(scene: Scene, b: Block) -> tuple[list[Cells], int]:
    """Feasible cells of a block, for each type of cache; and how many cells were evaluated."""
    rows = _rows(scene, b.table)
    least = _least(b, rows)
    hopeful = rows[least <= b.usable] if b.machine.gpus else rows
    scene.note("short", b.table.model[rows], np.where(least <= b.usable, np.inf, least - b.usable))
    wanted = np.flatnonzero(np.bincount(b.table.model[hopeful], minlength=len(scene.columns.models)))
    parts = []
    for kv, kind in enumerate(scene.question.kv):
        with scene.lock:
            held = scene.rests.of(b.name, kind, b.offers, wanted)
        parts.append(_cells(scene, b, hopeful, held, kv))
    return parts, len(rows) * len(b.counts) * len(scene.figures.contexts) * len(scene.question.kv)


def _rows(scene: Scene, table: Table) -> Array:
    """Rows of the models that are asked about."""
    if table.family not in scene.rows:
        scene.rows[table.family] = np.flatnonzero(np.isin(table.model, scene.models))
    return scene.rows[table.family]


def _least(b: Block, rows: Array) -> Array:
    """What weights alone take on one device of the largest machine, at least. [B]"""
    most = int(b.counts.max())
    if b.name == SHARING:
        return b.table.shares[rows, min(most, len(RANKS)) - 1]
    return memory.weights(b.table, rows, 1, b.machine) // most


def _cells(scene: Scene, b: Block, rows: Array, held: Held, kv: int) -> Cells:
    """Columns of what fits."""
    shortest = int(np.argmin(scene.figures.contexts))
    nearest = replace(held, kept=held.kept[:, [shortest]], fixed=held.fixed[:, [shortest]])
    least = _total(scene, b, rows, nearest).min(axis=(0, 1), initial=np.inf)
    known = np.isfinite(least)
    short = np.where(known, np.maximum(0, least - b.usable), np.inf) if np.isfinite(b.usable) else least * 0
    scene.note("short", b.table.model[rows], short)
    rows = rows[known & (least <= b.usable)]
    place, shape = b.table.model[rows], (len(b.counts), len(scene.figures.contexts), len(rows))
    total = np.broadcast_to(_total(scene, b, rows, held), shape)
    each = np.broadcast_to(taken(held.kept, place) / scene.question.users / b.split, shape)
    fits = (total <= b.usable) & np.isfinite(total)
    ranks = held.ranks if isinstance(held.ranks, int) else taken(held.ranks, place)
    fitting = Fitting(b, kv, rows, fits, total, each, ranks)
    return undominated(scene, fitting) if scene.reduce else every(scene, fitting)


def _total(scene: Scene, b: Block, rows: Array, held: Held) -> Array:
    """What the fullest device takes. [B]"""
    place = b.table.model[rows]
    ranks = held.ranks if isinstance(held.ranks, int) else taken(held.ranks, place)
    weights = memory.weights(b.table, rows, ranks, b.machine)
    kept, fixed = taken(held.kept, place), taken(held.fixed, place)
    return memory.total(weights, kept, fixed, scene.columns.blocks[place], b.split)
