"""Read the catalogue as columns: one row for each model in each format that an engine reads.

data/columns.json is read once for each process; build_model_table writes it, and a test refuses a stale one. Records that
are not ours (the user's own, a newer release) are worked out when they are wanted, which takes longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from gyakusan.catalog import quality, thinking
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.listing import Unlisted, unlisted
from gyakusan.catalog.places import DATA
from gyakusan.catalog.records import checksums, own_entries
from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.core.model import Model
from gyakusan.core.quality import kind_of
from gyakusan.core.quality import penalty as law_penalty
from gyakusan.core.traffic import ModelShape, Traffic
from gyakusan.doors.files import packaged
from gyakusan.engines.registry import engine, model_storages
from gyakusan.planning.candidates import compact_model, stored_facts
from gyakusan.planning.candidates.stored_facts import Outline, StoredFacts

FILE = DATA / "columns.json"
SCORES = ("overall", "japanese", "coding", "reasoning", "agentic")
COARSE = ("Q3", "Q2", "IQ3", "IQ2", "IQ1", "TQ")
"""What the names of GGUF files below four bits begin with, after unsloth's "UD-"."""
NOTHING_STORED: Mapping[str, Any] = {"models": {}, "scores": {}, "scores_crc": 0}


class ReasoningMode(Struct, frozen=True):
    """Quality of a model with thinking off, on, or at an effort.

    mode: "off", "on" (the model's default effort), "low", "medium" or "high"
    basis: what the scores rest on, see catalog.quality.Quality
    japanese_basis: what the Japanese score rests on
    agentic_basis: what the agentic score rests on
    kind: of another model whose scores stand for it, "" = its own
    count: benchmarks that the scores come from
    scores: value and standard error for each of SCORES [points]
    """

    mode: str
    basis: str
    japanese_basis: str
    agentic_basis: str
    kind: str
    count: int
    scores: tuple[float, ...]

    def basis_of(self, metric: str) -> str:
        """Return what one of SCORES rests on: "inferred" from other scores, else as `basis`."""
        if metric == "agentic" and self.agentic_basis == "inferred":
            return "inferred"
        return self.japanese_basis if metric == "japanese" and self.japanese_basis else self.basis


class CatalogModel(Struct, frozen=True, dict=True):
    """One model of the catalogue.

    name: of the catalogue
    license: name of its licence
    parameters: weights [values]
    active: weights that one token multiplies, as published [values]
    native: width it was trained at [bits]
    tied: True if the output matrix is the table of input embeddings
    role: what it is for, see catalog.models.ModelRecord
    unlisted: why it is not proposed where nobody names it, None if it is
    released: date of release, ISO 8601
    modes: quality in each mode of thinking
    outline: what is asked of every model
    facts: what model_variants.measure says of it
    """

    name: str
    license: str
    parameters: int
    active: float
    native: float
    tied: bool
    role: str
    unlisted: Unlisted | None
    released: str
    modes: tuple[ReasoningMode, ...]
    outline: Outline
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"CatalogModel({self.name})"

    @cached_property
    def model(self) -> Model:
        """The model without its tensors."""
        return compact_model.decode(self.facts["model"])

    @cached_property
    def traffic(self) -> Traffic:
        """What it reads and computes, without the bytes of its weights: those stand in the table."""
        return Traffic(self.shape, 0.0, 0.0, self.model.memory)

    @property
    def shape(self) -> ModelShape:
        """What decides its time, whatever it is stored as."""
        return ModelShape(*self.facts["traffic"])


class VariantTable(Struct, frozen=True, dict=True):
    """The variants of all models in files of one kind: one row for each model in each format.

    storage: kind of model files: gguf, checkpoint, mlx
    model: place in `ModelTable.models` (rows,)
    name: as people write the format, for each row: what `inspect --quant` takes
    published: True if somebody is known to publish it; others have to be made (rows,)
    group: group of quantisations that speed constants know, for each row
    dense_bytes: weights that are read for each token (rows,) [B]
    expert_bytes: all routed experts (rows,) [B]
    stored: all weights (rows,) [B]
    shares: weights on one device, in each layout of the storage's engine (rows, layouts) [B]
    bits: bits of each weight (rows,) [bits]
    cost: quality that the quantisation costs (rows,) [points]
    cost_error: its standard error (rows,) [points]
    """

    storage: str
    model: IntArray
    name: Sequence[str]
    published: BoolArray
    group: Sequence[str]
    dense_bytes: FloatArray
    expert_bytes: FloatArray
    stored: IntArray
    shares: IntArray
    bits: FloatArray
    cost: FloatArray
    cost_error: FloatArray

    def __len__(self) -> int:
        return len(self.name)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Every group of quantisations that occurs."""
        return tuple(dict.fromkeys(self.group))

    @cached_property
    def group_of(self) -> IntArray:
        """Place in `groups` of each row (rows,)."""
        places = {g: i for i, g in enumerate(self.groups)}
        return np.array([places[g] for g in self.group], np.int64)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name of a format that occurs."""
        return tuple(dict.fromkeys(self.name))

    @cached_property
    def name_of(self) -> IntArray:
        """Place in `names` of each row (rows,)."""
        places = {n: i for i, n in enumerate(self.names)}
        return np.array([places[n] for n in self.name], np.int64)

    @cached_property
    def coarse(self) -> BoolArray:
        """True below four bits, by name: such files answer worse in ways that few benchmarks see (rows,)."""
        return np.array([n.removeprefix("UD-").startswith(COARSE) for n in self.name], bool)


class ModelTable(Struct, frozen=True, dict=True):
    """The catalogue, as planning reads it.

    models: in the catalogue's order
    tables: storage -> variants
    """

    models: tuple[CatalogModel, ...]
    tables: Mapping[str, VariantTable]

    def of_engine(self, name: str) -> VariantTable:
        """Return the variants that an engine reads."""
        return self.tables[engine(name).STORAGE]

    @cached_property
    def blocks(self) -> IntArray:
        """Blocks of every model (models,)."""
        return np.array([m.outline.blocks for m in self.models], np.int64)

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


class _Tables(Mapping[str, VariantTable]):
    """The tables of all kinds of files, each made when it is first read: a plan for a GPU has no use for those of a Mac."""

    def __init__(self, models: tuple[CatalogModel, ...]) -> None:
        self._models, self._made = models, dict[str, VariantTable]()

    def __getitem__(self, storage: str) -> VariantTable:
        if storage not in self._made:
            if storage not in model_storages():
                raise KeyError(storage)
            self._made[storage] = _table(storage, self._models)
        return self._made[storage]

    def __iter__(self) -> Iterator[str]:
        return iter(model_storages())

    def __len__(self) -> int:
        return len(model_storages())


def load(path: Path = FILE) -> ModelTable:
    """Return every model of the catalogue, with the user's own as they are now."""
    return _load(path, own_entries())


def forget() -> None:
    """Read the file anew at the next `load`."""
    _load.cache_clear()


@lru_cache(maxsize=2)
def _load(path: Path, _own: tuple[Entry, ...]) -> ModelTable:
    stored, known = stored_facts.read(packaged(path)) if path.exists() else ({}, {})
    facts: dict[str, Mapping[str, Any]] = {e.name: _own_facts(e) for e in _own if e.kind == "model"}
    for name, crc in checksums("model"):
        found = stored.get(name)
        facts[name] = found if found is not None and found["crc"] == crc else measured_facts(name)
    scores = {n: known[n] if n in known else score_rows(n) for n in facts}
    return from_facts(list(facts.values()), scores)


def from_facts(facts: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]) -> ModelTable:
    """Return the columns of some models.

    facts: what model_variants.measure says of each; scores: name -> what `score_rows` says.
    """
    models = tuple(_catalog_model(f, scores[f["name"]]) for f in facts)
    return ModelTable(models, _Tables(models))


def score_rows(name: str) -> list[list[Any]]:
    """Return the best known scores of each mode of a model, as values for JSON: the fields of ReasoningMode."""
    best: dict[str, quality.Quality] = {}
    for entry in quality.find(name):
        mode = thinking.usual_name(name, entry.mode)
        if mode is None:
            continue
        other = best.get(mode)
        if other is None or (entry.independent, entry.scores) > (other.independent, other.scores):
            best[mode] = entry
    return [_score_row(mode, q) for mode, q in best.items()]


def _score_row(mode: str, q: quality.Quality) -> list[Any]:
    points = [round(x, 3) for s in SCORES for x in (getattr(q, s).value, getattr(q, s).error)]
    return [mode, q.basis, q.japanese_basis, q.agentic_basis, q.kind, q.scores, points]


def stored_file(path: Path = FILE) -> Mapping[str, Any]:
    """Return what the file says: models, scores, and a checksum of what the scores come from. Nothing if there is none."""
    if not path.exists():
        return NOTHING_STORED
    stored: Mapping[str, Any] = msgspec.json.decode(packaged(path))
    return stored


def _own_facts(entry: Entry) -> Mapping[str, Any]:
    return {**measured_facts(entry.name), "listed": entry.fields().get("listed", True)}


def measured_facts(name: str) -> Mapping[str, Any]:
    """Return what planning knows of a record, worked out anew."""
    from gyakusan.catalog.models import find
    from gyakusan.planning.candidates.model_variants import measure

    return measure(find(name))


def _catalog_model(facts: Mapping[str, Any], scores: Sequence[Any]) -> CatalogModel:
    return CatalogModel(
        facts["name"],
        facts["license"],
        facts["parameters"],
        facts["active"],
        facts["native"],
        facts["tied"],
        facts["role"],
        _unlisted(facts),
        facts["released"],
        tuple(map(_reasoning_mode, scores)),
        facts.outline if isinstance(facts, StoredFacts) else msgspec.convert(facts["model"], Outline),
        facts,
    )


def _reasoning_mode(row: Sequence[Any]) -> ReasoningMode:
    mode, basis, japanese_basis, agentic_basis, kind, count, points = row
    return ReasoningMode(mode, basis, japanese_basis, agentic_basis, kind, count, tuple(points))


def _unlisted(facts: Mapping[str, Any]) -> Unlisted | None:
    """Return why a model is not proposed: of ours the rule says it, of the user's own the record."""
    if isinstance(facts, StoredFacts) or "listed" not in facts:
        return unlisted(facts["name"])
    return None if facts["listed"] else Unlisted("own")


def _table(storage: str, models: Sequence[CatalogModel]) -> VariantTable:
    each = [_rows(storage, m) for m in models]
    rows, place = list(chain.from_iterable(each)), np.repeat(np.arange(len(models)), [len(r) for r in each])
    # the columns of VariantRow, without a record for each of thousands of rows
    names, published, group, dense, experts, sizes, shares = zip(*rows, strict=True) if rows else ((),) * 7
    stored = np.array(sizes, np.int64)
    size, native = (np.array([getattr(m, n) for m in models], float)[place] for n in ("parameters", "native"))
    bits = stored * 8 / np.maximum(1, size)
    cost, error = _penalties(names, bits, size, native)
    return VariantTable(
        storage=storage,
        model=place,
        name=names,
        published=np.array(published, bool),
        group=group,
        dense_bytes=np.array(dense, float),
        expert_bytes=np.array(experts, float),
        stored=stored,
        shares=np.array(shares, np.int64).reshape(len(rows), -1 if rows else 0),
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


def _penalties(
    names: Sequence[str], bits: FloatArray, size: FloatArray, native: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what each row's quantisation costs, with its error (rows,) [points]."""
    cost, error, law = np.zeros(len(names)), np.zeros(len(names)), quality.penalty_law()
    known = {n: kind_of(n) for n in set(names)}
    numbers = {kind: i for i, kind in enumerate(set(known.values()))}
    kind_at = np.array([numbers[known[n]] for n in names], np.int64)
    for kind, number in numbers.items():
        at = np.flatnonzero(kind_at == number)
        lost = law_penalty(law, bits[at], size[at], kind, native[at])
        cost[at], error[at] = lost.value, lost.error
    return cost, error
