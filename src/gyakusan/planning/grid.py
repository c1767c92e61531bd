"""Every model x quantisation x engine x cache x machine: bytes, speed, quality and price as columns, in blocks.

A block is one device (1 to 8 of it) under one engine, so that the memory of the computation is bounded; of machines that are
bought only what nothing on the same machine dominates is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

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
from gyakusan.planning.pace import chip_of
from gyakusan.planning.question import Question
from gyakusan.planning.rests import Rests
from gyakusan.planning.sharing import ENGINE as SHARING
from gyakusan.planning.speed import Figures

Array = Any
USUAL_ENGINES = ("llama.cpp", "vLLM", "MLX-LM")
"""Tried where nobody names an engine. Ollama runs llama.cpp, and keeps 1 GiB more free: it is priced when asked for."""
SAMPLE = "llama3.1-8b"
"""A model that every engine runs: what refuses it, the machine does."""
SHORT = 1024
"""A context that every machine holds. [tokens]"""

FEW, HELD = 32, 31 * 2**20
"""Devices from which on it pays to hold memory, and how much. [B]"""


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
    engines, groups = question.engines or USUAL_ENGINES, _groups(offers)
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
    return Grid(columns, tuple(offers), engines, joined(parts), scene.missed, count, left)


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

    cells: Cells
    count: int
    runs: frozenset[str]
    refused: Mapping[str, Message]


def _twin(group: Sequence[Offer]) -> Any:
    """Equal for machines that differ in name and price only."""
    first = group[0]
    if first.owned or not first.machine.gpus or any(g != first.machine.gpus[0] for g in first.machine.gpus):
        return id(first)
    gpu, found = first.machine.gpus[0], chip_of(first.machine)
    plain = replace(
        gpu, name="", vendor="", source="", checked="", prices=(), power=None, released="", reserved_reason=None
    )
    return tuple(o.count for o in group), plain, found.name if found else gpu.name, first.machine.host is None


def _placed(cells: Cells, group: Sequence[Offer], places: Sequence[int]) -> Cells:
    """With the places and the prices of offers: inf = not known, 0 = owned. [JPY]"""
    prices = np.array([0.0 if o.owned else np.inf if o.price is None else o.price for o in group])
    return replace(cells, offer=np.array(places, np.int64)[cells.offer], price=prices[cells.offer])


def _device(scene: Scene, engines: Sequence[str], group: Sequence[Offer]) -> _Part:
    """One device under every engine."""
    mine, count = list[Cells](), 0
    refused, runs = dict[str, Message](), set[str]()
    for number, name in enumerate(engines):
        reason = refusal(name, group[0].machine, scene.question, scene.columns)
        if reason is not None:
            refused[name] = reason
            continue
        runs.add(name)
        cells, tried = _evaluated(scene, _block(name, number, group, scene.columns))
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
    rules, one = find_engine(name), replace(machine, gpus=machine.gpus[:1])
    try:
        found = rules.refusals(sample, one, rules.Settings(SHORT, quantization="none"))
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


def _block(name: str, number: int, group: Sequence[Offer], columns: Columns) -> Block:
    counts = np.array([o.count for o in group], np.int64)
    usable = memory.usable(name, group[0].machine)
    return Block(name, number, group, columns.tables[FAMILY[name]], counts, usable)


def _evaluated(scene: Scene, b: Block) -> tuple[list[Cells], int]:
    """Feasible cells of a block, for each type of cache; and how many cells were evaluated."""
    rows = _rows(scene, b.table)
    least = _least(b, rows)
    hopeful = rows[least <= b.usable] if b.machine.gpus else rows
    scene.note("short", b.table.model[rows], np.where(least <= b.usable, np.inf, least - b.usable))
    wanted = np.flatnonzero(np.bincount(b.table.model[hopeful], minlength=len(scene.columns.models)))
    parts = []
    for kv, kind in enumerate(scene.question.kv):
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
    fits = total <= min(b.usable, np.finfo(float).max)  # what is refused takes infinitely much
    ranks = held.ranks if isinstance(held.ranks, int) else taken(held.ranks, place)
    fitting = Fitting(b, kv, rows, fits, total, taken(held.kept, place) / scene.question.users, ranks)
    return undominated(scene, fitting) if scene.reduce else every(scene, fitting)


def _total(scene: Scene, b: Block, rows: Array, held: Held) -> Array:
    """What the fullest device takes. [B]"""
    place = b.table.model[rows]
    ranks = held.ranks if isinstance(held.ranks, int) else taken(held.ranks, place)
    weights = memory.weights(b.table, rows, ranks, b.machine)
    kept, fixed = taken(held.kept, place), taken(held.fixed, place)
    return memory.total(weights, kept, fixed, scene.columns.blocks[place], b.split)
