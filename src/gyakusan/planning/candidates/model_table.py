"""The catalogue as columns: one row for each model at each quantisation in each family of engines. Facts: data/columns.json.

Read once for each process. Records that are not ours (the user's own, a newer release) and not the same are worked out when
they are wanted, which takes longer. tools/plan_columns.py writes the file, and a test refuses a stale one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from gyakusan.catalog import quality
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.places import DATA
from gyakusan.catalog.quality_names import QUALITY
from gyakusan.catalog.records import entries
from gyakusan.core.model import Model
from gyakusan.core.quality import kind_of
from gyakusan.core.quality import penalty as law_penalty
from gyakusan.core.traffic import ModelShape, Traffic
from gyakusan.engines.registry import engine, model_storages
from gyakusan.planning.candidates import compact_model

FILE = DATA / "columns.json"
Array = Any
SCORES = ("overall", "japanese", "coding", "reasoning")
_EMPTY: Mapping[str, Any] = {"models": {}, "scores": {}, "scores_crc": 0}


@dataclass(frozen=True, slots=True)
class ReasoningMode:
    """Quality of a model with reasoning on or off. scores: value, error for each of SCORES [points];

    thinking: answer tokens over those without reasoning; basis, japanese_basis, kind, count: see catalog.quality.
    """

    mode: str
    basis: str
    japanese_basis: str
    kind: str
    thinking: float
    count: int
    scores: tuple[float, ...]


@dataclass(frozen=True)
class CatalogModel:
    """One model. parameters, active [values]; native: width it was trained at [bits]; role, listed, released: see

    catalog.models.ModelRecord; facts: of `measure.measure`.
    """

    name: str
    license: str
    parameters: int
    active: float
    native: float
    tied: bool
    role: str
    listed: bool
    released: str
    modes: tuple[ReasoningMode, ...]
    facts: Mapping[str, Any] = field(repr=False)

    @cached_property
    def model(self) -> Model:
        """The model without tensors."""
        return compact_model.decode(self.facts["model"])

    @cached_property
    def traffic(self) -> Traffic:
        """What it reads and computes, without the bytes of its weights: those stand in the table."""
        return Traffic(self.shape, 0.0, 0.0, self.model.memory)

    @property
    def shape(self) -> ModelShape:
        """What decides its time, whatever it is stored as."""
        return ModelShape(*self.facts["traffic"])


@dataclass(frozen=True)
class VariantTable:
    """The variants of all models in files of one kind: one row for each model in each format.

    storage: kind of model files: gguf, checkpoint, mlx
    model: place in `ModelTable.models` (rows)
    base, name: see engines.base.Variant
    group: group of quantisations that speed constants know
    dense_bytes, expert_bytes: weights that are read for each token, and of all experts [B] (rows)
    stored: all weights [B] (rows)
    shares: weights on one device, in each layout of the storage's engine [B] (rows, layouts)
    bits: bits of each weight (rows)
    cost, cost_error: quality that the quantisation costs [points] (rows)
    """

    storage: str
    model: Array
    base: Sequence[str]
    name: Sequence[str]
    group: Sequence[str]
    dense_bytes: Array
    expert_bytes: Array
    stored: Array
    shares: Array
    bits: Array
    cost: Array
    cost_error: Array

    def __len__(self) -> int:
        return len(self.base)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Every group of speed."""
        return tuple(dict.fromkeys(self.group))

    @cached_property
    def group_of(self) -> Array:
        """Place in `groups` of each row."""
        places = {g: i for i, g in enumerate(self.groups)}
        return np.array([places[g] for g in self.group], np.int64)

    @cached_property
    def coarse(self) -> Array:
        """True below four bits, by name: such files answer worse in ways that few benchmarks see."""
        return np.array([n.startswith(("Q3", "Q2")) for n in self.name], bool)


@dataclass(frozen=True)
class ModelTable:
    """models: in the catalogue's order; tables: by family."""

    models: tuple[CatalogModel, ...]
    tables: Mapping[str, VariantTable]

    def of_engine(self, name: str) -> VariantTable:
        """Return the variants that an engine reads."""
        return self.tables[engine(name).STORAGE]

    @cached_property
    def blocks(self) -> Array:
        """Blocks of every model."""
        return np.array([m.facts["model"]["blocks"] for m in self.models], np.int64)

    @cached_property
    def shapes(self) -> ModelShape:
        """What decides the time of every model: arrays (models,)."""
        return ModelShape(*np.array([m.facts["traffic"] for m in self.models], float).reshape(-1, 9).T.copy())

    @cached_property
    def speed_names(self) -> tuple[str, ...]:
        """The name under which measurements know each model, "" = none."""
        return tuple(m.facts["speed_name"] for m in self.models)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Name -> place in `models`."""
        return {m.name: i for i, m in enumerate(self.models)}


@cache
def load(path: Path = FILE) -> ModelTable:
    """Every model of the catalogue."""
    stored = _stored(path)
    found = {e.name: _of(e, stored) for e in entries("model")}
    return build(list(found.values()), _scores(found, stored))


def build(facts: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]) -> ModelTable:
    """Columns of some models: what `measure` says of each, and what `modes` says, by name."""
    models = tuple(_known(f, scores[f["name"]]) for f in facts)
    return ModelTable(models, {storage: _table(storage, models) for storage in model_storages()})


def stale(path: Path = FILE) -> tuple[str, ...]:
    """Models of which the file says something else than their record, and models whose scores changed.

    Only records whose text changed since are worked out again: the rules may have changed without that (see `write`).
    """
    stored = _stored(path)
    ours = {e.name: e for e in entries("model") if not e.own}
    wrong = [n for n, e in ours.items() if not _alike(e, stored)]
    gone = [n for n in stored["models"] if n not in ours]
    moved = [] if stored["scores_crc"] == scores_crc() else [n for n in ours if stored["scores"].get(n) != modes(n)]
    return (*wrong, *gone, *moved)


def _alike(entry: Entry, stored: Mapping[str, Any]) -> bool:
    known = stored["models"].get(entry.name)
    if known is None or known["crc"] == entry.crc:
        return known is not None
    fresh = json.loads(json.dumps(_measured(entry)))
    return bool(fresh == {k: v for k, v in known.items() if k != "crc"})


def write(path: Path = FILE, *, everything: bool = False) -> None:
    """Bring the file up to date. everything: also what did not change, for the rules may have."""
    stored = _EMPTY if everything else _stored(path)
    ours = [e for e in entries("model") if not e.own]
    crcs = {e.name: e.crc for e in ours}
    same = {n for n, known in stored["models"].items() if known["crc"] == crcs.get(n)}
    models = {e.name: stored["models"][e.name] if e.name in same else {**_measured(e), "crc": e.crc} for e in ours}
    said = {"scores_crc": scores_crc(), "scores": {n: modes(n) for n in models}, "models": models}
    lines = [f'"{k}": {json.dumps(v)}' for k, v in said.items() if k != "models"]
    each = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in models.items())
    path.write_text("{" + ",\n".join(lines) + ',\n"models": {\n' + each + "\n}}\n", "utf-8")
    load.cache_clear()


def modes(name: str) -> list[list[Any]]:
    """The best known figure of each mode of a model, as values for JSON."""
    best: dict[str, quality.Quality] = {}
    for found in quality.find(name):
        other = best.get(found.mode)
        if other is None or (found.independent, found.scores) > (other.independent, other.scores):
            best[found.mode] = found
    return [_mode(q) for q in best.values()]


def scores_crc() -> int:
    """What the scores are told by."""
    return crc32(b"".join((QUALITY / name).read_bytes() for name in ("index.json", "names.json")))


def _mode(q: quality.Quality) -> list[Any]:
    points = [round(x, 3) for s in SCORES for x in (getattr(q, s).value, getattr(q, s).error)]
    factor = q.thinking.factor if q.mode == "on" else 1.0
    return [q.mode, q.basis, q.japanese_basis, q.kind, factor, q.scores, points]


def _stored(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return _EMPTY
    found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _of(entry: Entry, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    known: Mapping[str, Any] | None = stored["models"].get(entry.name)
    return known if known is not None and known["crc"] == entry.crc else _measured(entry)


def _measured(entry: Entry) -> Mapping[str, Any]:
    from gyakusan.catalog.models import find
    from gyakusan.planning.candidates.model_variants import measure

    return measure(find(entry.name))


def _scores(found: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any]:
    return {n: stored["scores"][n] if n in stored["scores"] else modes(n) for n in found}


def _known(facts: Mapping[str, Any], scores: Sequence[Any]) -> CatalogModel:
    return CatalogModel(
        name=facts["name"],
        license=facts["license"],
        parameters=facts["parameters"],
        active=facts["active"],
        native=facts["native"],
        tied=facts["tied"],
        role=facts["role"],
        listed=facts["listed"],
        released=facts["released"],
        modes=tuple(_stored_mode(s) for s in scores),
        facts=facts,
    )


def _stored_mode(values: Sequence[Any]) -> ReasoningMode:
    mode, basis, japanese, kind, thinking, count, scores = values
    return ReasoningMode(mode, basis, japanese, kind, thinking, count, tuple(scores))


def _table(storage: str, models: Sequence[CatalogModel]) -> VariantTable:
    rows = [(i, row) for i, m in enumerate(models) for row in _rows(storage, m)]
    columns = list(zip(*(row for _, row in rows), strict=True)) if rows else [()] * 7
    base, name, group, dense, experts, stored, shares = columns
    place = np.array([i for i, _ in rows], np.int64)
    size = np.array([m.parameters for m in models], float)[place] if rows else np.zeros(0)
    native = np.array([m.native for m in models], float)[place] if rows else np.zeros(0)
    bits = np.array(stored, float) * 8 / np.maximum(1, size)
    cost, error = _penalties(name, bits, size, native)
    return VariantTable(
        storage=storage,
        model=place,
        base=base,
        name=name,
        group=group,
        dense_bytes=np.array(dense, float),
        expert_bytes=np.array(experts, float),
        stored=np.array(stored, np.int64),
        shares=np.array([list(s) for s in shares], np.int64).reshape(len(rows), -1 if rows else 0),
        bits=bits,
        cost=cost,
        cost_error=error,
    )


def _rows(storage: str, known: CatalogModel) -> Sequence[Any]:
    """Return the variants of a model in files of one kind: as stored, else worked out."""
    if storage in known.facts:
        rows: Sequence[Any] = known.facts[storage]
        return rows
    from gyakusan.catalog.models import find
    from gyakusan.planning.candidates.model_variants import variant_rows

    return variant_rows(storage, find(known.name))


def _penalties(names: Sequence[str], bits: Array, size: Array, native: Array) -> tuple[Array, Array]:
    """What each row's quantisation costs [points]."""
    cost, error, law = np.zeros(len(names)), np.zeros(len(names)), quality.penalty_law()
    known = {n: kind_of(n) for n in set(names)}
    for kind in set(known.values()):
        at = np.array([known[n] == kind for n in names])
        lost = law_penalty(law, bits[at], size[at], kind, native[at])
        cost[at], error[at] = lost.value, lost.error
    return cost, error
