"""Every model x quantisation x engine x cache x machine: bytes, speed, quality and price as columns, in blocks.

A block is one device (1 to 8 of it) under one engine, so that the memory of the computation is bounded; of machines that are
bought only what nothing on the same machine dominates is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.base import engine as find_engine
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say
from gyakusan.planning import memory, speed
from gyakusan.planning.cells import Cells, Grid, Missed, joined, nothing_yet
from gyakusan.planning.columns import FAMILY, SCORES, Columns, Table
from gyakusan.planning.frontier import by_case
from gyakusan.planning.measure import RANKS
from gyakusan.planning.offers import Offer
from gyakusan.planning.question import Question
from gyakusan.planning.rests import SHARING, Held, Rests
from gyakusan.planning.speed import Cases, Figures

Array = Any
USUAL_ENGINES = ("llama.cpp", "vLLM", "MLX-LM")
"""Tried where nobody names an engine. Ollama runs llama.cpp, and keeps 1 GiB more free: it is priced when asked for."""
SAMPLE = "llama3.1-8b"
"""A model that every engine runs: what refuses it, the machine does."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What all blocks share. modes: every mode of every model: its model, its place there, quality and error [points],

    thinking; first: where the modes of each model begin; reduce: see `evaluate`; sorted_: by table, rows and modes with
    falling quality; rows: by table, those of the models.
    """

    question: Question
    columns: Columns
    rests: Rests
    figures: Figures
    missed: Missed
    models: Array
    modes: Array
    first: Array
    reduce: bool
    sorted_: dict[str, tuple[Array, Array]]
    rows: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Block:
    """One device under one engine. offers: different numbers of it; places: theirs; number: of the engine."""

    name: str
    number: int
    offers: Sequence[Offer]
    places: Sequence[int]
    table: Table
    cases: Cases
    usable: float

    @property
    def machine(self) -> Machine:
        """With the fewest devices."""
        return self.offers[0].machine


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
    parts, count, refused, runs = [], 0, dict[str, Message](), set[str]()
    for places in _groups(offers):
        group = [offers[i] for i in places]
        mine = []
        for number, name in enumerate(engines):
            reason = refusal(name, group[0].machine, question, columns)
            if reason is not None:
                refused.setdefault(name, reason)
                continue
            runs.add(name)
            block = _block(scene, name, number, group, places)
            cells, tried = _evaluated(scene, block)
            count += tried
            mine += cells
        whole = joined(mine)
        parts.append(whole.take(by_case(whole.offer, whole.context, whole.sure, whole.useful)) if reduce else whole)
    left = tuple((n, r) for n, r in refused.items() if n not in runs)
    return Grid(columns, tuple(offers), engines, joined(parts), scene.missed, count, left)


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
    usual, score = question.usual, SCORES.index(question.usual.score)
    lengths = np.array(contexts, np.int64)
    modes = [
        (i, n, m.scores[2 * score], m.scores[2 * score + 1], m.thinking)
        for i, known in enumerate(columns.models)
        for n, m in enumerate(known.modes)
    ]
    rows = np.array(modes, float).reshape(-1, 5)
    return Scene(
        question,
        columns,
        Rests(columns, question.users, lengths),
        Figures(columns, models, question.users, usual.prompt, usual.answer, lengths),
        nothing_yet(len(columns.models)),
        models,
        rows,
        np.searchsorted(rows[:, 0], np.arange(len(columns.models) + 1)),
        reduce,
        {},
        {},
    )


def _block(scene: Scene, name: str, number: int, group: Sequence[Offer], places: Sequence[int]) -> Block:
    counts, lengths = [o.count for o in group], len(scene.figures.contexts)
    cases = Cases(np.repeat(counts, lengths), np.tile(np.arange(lengths), len(counts)))
    usable = memory.usable(name, group[0].machine)
    return Block(name, number, group, places, scene.columns.tables[FAMILY[name]], cases, usable)


def _evaluated(scene: Scene, b: Block) -> tuple[list[Cells], int]:
    """Feasible cells of a block, for each type of cache; and how many cells were evaluated."""
    rows = _rows(scene, b.table)
    least = _least(b, rows)
    hopeful = rows[least <= b.usable] if b.machine.gpus else rows
    _note(scene.missed.short, np.minimum, b.table.model[rows], np.where(least <= b.usable, np.inf, least - b.usable))
    wanted = np.array(sorted(set(b.table.model[hopeful].tolist())), np.int64)
    parts = []
    for kv, kind in enumerate(scene.question.kv):
        held = scene.rests.of(b.name, kind, b.offers, b.cases, wanted)
        parts.append(_cells(scene, b, hopeful, held, kv))
    return parts, len(rows) * len(b.cases) * len(scene.question.kv)


def _rows(scene: Scene, table: Table) -> Array:
    """Rows of the models that are asked about."""
    if table.family not in scene.rows:
        scene.rows[table.family] = np.flatnonzero(np.isin(table.model, scene.models))
    return scene.rows[table.family]


def _least(b: Block, rows: Array) -> Array:
    """What weights alone take on one device of the largest machine, at least. [B]"""
    most = int(b.cases.count.max())
    if b.name == SHARING:
        return b.table.shares[rows, min(most, len(RANKS)) - 1]
    return memory.weights(b.table, rows, 1, b.machine) // most


def _cells(scene: Scene, b: Block, rows: Array, held: Held, kv: int) -> Cells:
    """Columns of what fits."""
    place = b.table.model[rows]
    weights = memory.weights(b.table, rows, held.ranks[place] if len(held.ranks) > 1 else 1, b.machine)
    kept, fixed = held.kept[place], held.fixed[place]
    total = memory.total(
        weights if np.ndim(weights) == 2 else weights[:, None], kept, fixed, _blocks(scene, place), _split(b)
    )
    short = total - b.usable
    _note(
        scene.missed.short,
        np.minimum,
        place,
        np.maximum(0, np.nan_to_num(short, nan=np.inf).min(axis=1, initial=np.inf)),
    )
    fits = short <= 0
    some = np.flatnonzero(fits.any(axis=1))
    ranks = held.ranks[place[some]] if len(held.ranks) > 1 else held.ranks
    figures = _speeds(scene, b, rows[some], ranks, scene.question.kv[kv])
    if scene.reduce:
        grow = -short[some] / np.maximum(1.0, kept[some] / scene.question.users / _split(b))
        return _undominated(scene, b, kv, rows[some], fits[some], total[some], grow, figures)
    at, case = np.nonzero(fits[some])
    at_rows = some[at]
    grow = -short[at_rows, case] / np.maximum(1.0, kept[at_rows, case] / scene.question.users / _split(b)[case])
    plain = [x[at, case] for x in figures]
    return _with_modes(scene, b, kv, rows[at_rows], case, total[at_rows, case], grow, plain)


def _split(b: Block) -> Array:
    """Devices that hold some layers each."""
    return b.cases.count if b.table.family == "gguf" else np.ones(len(b.cases), np.int64)


def _blocks(scene: Scene, place: Array) -> Array:
    return scene.columns.blocks[place][:, None]


def _speeds(scene: Scene, b: Block, rows: Array, ranks: Array, kind: str) -> tuple[Array, Array, Array, Array]:
    """each, each_low, first, first_high; nan where nobody knows."""
    found = None
    if b.machine.gpus and len(rows):
        width = 2 if kind == "F16" else 1.0625
        found = speed.speeds(scene.figures, b.table, rows, b.machine, b.name, b.cases, ranks, width)
    if found is None:
        unknown = np.full((len(rows), len(b.cases)), np.nan)
        return unknown, unknown, unknown, unknown
    return found.each, found.each_low, found.first, found.first_high


def _undominated(
    scene: Scene, b: Block, kv: int, rows: Array, fits: Array, total: Array, grow: Array, figures: Sequence[Array]
) -> Cells:
    """Of each machine and context what nothing dominates in quality and speed: one sweep with falling quality."""
    question, table = scene.question, b.table
    row, mode = _falling(scene, table)
    where = np.full(len(table), -1)
    where[rows] = np.arange(len(rows))
    here = where[row] >= 0
    row, mode = row[here], mode[here]
    at = where[row]
    _, number, value, error, thinking = scene.modes[mode].T
    value, error = value - table.cost[row], np.hypot(error, table.cost_error[row])
    each, low, first, late = figures
    good = fits & _reaches(question, low, late)
    speed = np.where(good, np.nan_to_num(low), -1.0)[at] / np.where(thinking > 0, thinking, 1.0)[:, None]
    if question.quality is not None:
        speed[value < question.quality] = -1.0
    _note_floors(scene, table.model[rows], fits, figures, table.model[row], value)
    before = np.maximum.accumulate(speed, axis=0)
    keep = speed > np.concatenate((np.full((1, speed.shape[1]), -0.5), before[:-1])) if len(row) else speed > 0
    i, case = np.nonzero(keep)
    place = (at[i], case)
    length = len(scene.figures.contexts)
    price = np.array([np.inf if o.price is None else o.price for o in b.offers])[case // length]
    size = total[place]
    return Cells(
        *(np.array(b.places)[case // length], np.full(len(i), b.number), row[i], np.full(len(i), kv)),
        *(number[i].astype(np.int64), b.cases.context[case], size, np.full(len(i), b.usable)),
        *(each[place], low[place], first[place], late[place], low[place] / thinking[i]),
        *(value[i], error[i], value[i] - error[i], price, grow[place]),
    )


def _falling(scene: Scene, table: Table) -> tuple[Array, Array]:
    """Every row with each of its modes, surest quality first: places of rows and of modes."""
    if table.family not in scene.sorted_:
        many = scene.first[table.model + 1] - scene.first[table.model]
        row = np.repeat(np.arange(len(table)), many)
        mode = scene.first[table.model[row]] + _counted(many)
        error = np.hypot(scene.modes[mode, 3], table.cost_error[row])
        order = np.argsort(-(scene.modes[mode, 2] - table.cost[row] - error), kind="stable")
        scene.sorted_[table.family] = row[order], mode[order]
    return scene.sorted_[table.family]


def _reaches(question: Question, low: Array, late: Array) -> Array:
    """True where the floors for speed hold at the careful end."""
    good = np.ones(low.shape, bool)
    if question.speed:
        good &= np.nan_to_num(low) >= question.speed
    if question.first is not None:
        good &= np.nan_to_num(late, nan=np.inf) <= question.first
    return good


def _note_floors(
    scene: Scene, place: Array, fits: Array, figures: Sequence[Array], candidates: Array, value: Array
) -> None:
    """What each model reaches where it fits: wanted only where a floor may exclude it."""
    question, missed = scene.question, scene.missed
    if question.speed:
        _note(missed.fast, np.maximum, place, np.where(fits, np.nan_to_num(figures[1]), 0).max(axis=1))
    if question.first is not None:
        late = np.where(fits, np.nan_to_num(figures[3], nan=np.inf), np.inf)
        _note(missed.early, np.minimum, place, late.min(axis=1))
    if question.quality is not None:
        np.maximum.at(missed.good, candidates, value)


def _with_modes(
    scene: Scene, b: Block, kv: int, rows: Array, case: Array, total: Array, grow: Array, figures: Sequence[Array]
) -> Cells:
    """Each feasible cell once for each mode of its model, if it reaches the floors."""
    place = b.table.model[rows]
    many = scene.first[place + 1] - scene.first[place]
    at = np.repeat(np.arange(len(rows)), many)
    mode = scene.first[place[at]] + _counted(many)
    _, number, value, error, thinking = scene.modes[mode].T
    row = rows[at]
    quality = value - b.table.cost[row]
    error = np.hypot(error, b.table.cost_error[row])
    each, low, first, late = (x[at] for x in figures)
    length = len(scene.figures.contexts)
    price = np.array([0.0 if o.owned else np.inf if o.price is None else o.price for o in b.offers])
    cells = Cells(
        *(np.array(b.places)[case[at] // length], np.full(len(at), b.number), row, np.full(len(at), kv)),
        *(number.astype(np.int64), b.cases.context[case[at]], total[at], np.full(len(at), b.usable)),
        *(each, low, first, late, low / thinking, quality, error, quality - error),
        *(price[case[at] // length], grow[at]),
    )
    return _floored(scene, cells, place[at])


def _counted(many: Array) -> Array:
    """[2, 3] -> [0, 1, 0, 1, 2]"""
    ends = np.cumsum(many)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - many, many)


def _floored(scene: Scene, cells: Cells, place: Array) -> Cells:
    """Cells that reach the floors. What falls short is noted for its model."""
    question, missed = scene.question, scene.missed
    fast, late = np.nan_to_num(cells.each_low), np.nan_to_num(cells.first_high, nan=np.inf)
    _note(missed.fast, np.maximum, place, fast)
    _note(missed.early, np.minimum, place, late)
    _note(missed.good, np.maximum, place, cells.quality)
    good = fast >= question.speed if question.speed else np.ones(len(cells), bool)
    if question.first is not None:
        good &= late <= question.first
    if question.quality is not None:
        good &= cells.quality >= question.quality
    return cells if good.all() else cells.take(np.flatnonzero(good))


def _note(column: Array, keep: Any, place: Array, figure: Array) -> None:
    """The least or greatest figure of each model. place: rows of one model stand together."""
    if not len(place):
        return
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    best = keep.reduceat(figure, starts)
    where = place[starts]
    column[where] = keep(column[where], best)
