"""The 80 % intervals of what somebody else measures, from errors of fits that left each source out.

Locally weighted split conformal prediction over sources: errors are divided by the size that errors like them have in the
mean, which is known of every slice, and the quantile of what is left holds four of five. A quantile of the errors of a slice
with few sources would be that of one of them, and jump.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.speed.columns import Array
from benchmarks.speed.observation import Observation
from gyakusan.catalog.speed_constants import Evidence, interval_slices
from gyakusan.core.arrays import BoolArray, IntArray

CLASSES: tuple[Evidence, ...] = ("model", "device", "nothing")
"""What is known of a row, from most to least."""
NOMINAL = 0.8
BORROWED = 6.0
"""Sources as which what stands above a slice counts in it: a ridge for the size of its errors, and the weight of the other kinds
of figure in the quantile of a kind. Few sources of its own thus borrow, many speak for themselves."""
SMALLEST = 0.03
"""Smaller errors are chance: so far apart are repetitions on one computer (logarithm)."""
LEAST = 6
"""Cells that a slice needs, from two sources, for its coverage to be told."""
COLUMNS = ("place", "size", "cell", "computer", "source")
Slice = tuple[str, str, str, str]
"""Kind of figure, class, engine, era; "" = of all engines, of today's builds."""


@dataclass(frozen=True, slots=True)
class Errors:
    """What intervals are made of: rows that were predicted without their sources.

    slices: names of the narrowest slices; place: in them, of each row
    size: errors as logarithms, without sign
    cell, computer, source: their numbers, a computer being a device of a source
    """

    slices: tuple[str, ...]
    place: IntArray
    size: Array
    cell: IntArray
    computer: IntArray
    source: IntArray

    def written(self) -> dict[str, Any]:
        """What `read` reads."""
        size = [float(f"{x:.7g}") for x in self.size]
        columns = {f: size if f == "size" else getattr(self, f).astype(int).tolist() for f in COLUMNS}
        return {"slices": self.slices, **columns}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Errors:
        """What `written` wrote."""
        return cls(slices=tuple(written["slices"]), **{f: np.array(written[f]) for f in COLUMNS})

    @property
    def parts(self) -> list[Slice]:
        """The parts of the name of each slice."""
        return [_parts(name) for name in self.slices]


def evidence_left(observations: Sequence[Observation], fold: Array) -> list[Evidence]:
    """What was still known of each observation when its fold was left out: its device and its model, one, or none.

    Without its engine nothing is known.
    """
    out: list[Evidence] = ["nothing"] * len(observations)
    for number in np.unique(fold):
        rest = [o.subject for o, f in zip(observations, fold, strict=True) if f != number]
        names, models, engines = {s.chip.name for s in rest}, {s.model for s in rest}, {s.engine for s in rest}
        for i in np.flatnonzero(fold == number):
            s = observations[i].subject
            if s.chip.name in names and s.engine in engines:
                out[i] = "model" if s.model in models else "device"
    return out


def errors_of(observations: Sequence[Observation], predicted: Array, fold: Array) -> Errors:
    """The errors of predictions that left the source of each row out."""
    known = evidence_left(observations, fold)
    names = [slice_name(o, k) for o, k in zip(observations, known, strict=True)]
    return Errors(
        slices=tuple(dict.fromkeys(names)),
        place=_numbered(names),
        size=np.abs(np.log([o.seconds for o in observations]) - np.log(predicted)),
        cell=_numbered([(o.kind, o.cell) for o in observations]),
        computer=_numbered([(o.source, o.subject.chip.name) for o in observations]),
        source=_numbered([o.source for o in observations]),
    )


def slice_name(o: Observation, known: Evidence) -> str:
    """The narrowest slice of an observation."""
    return interval_slices(o.kind, o.subject.engine, o.users, known, o.era)[0]


def factor_of(o: Observation, known: Evidence, found: Mapping[str, Any]) -> float:
    """The factor of an observation of which so much is known."""
    names = interval_slices(o.kind, o.subject.engine, o.users, known, o.era)
    return next((float(found[n]["factor"]) for n in names if n in found), 3.0)


def calibrated(errors: Errors) -> dict[str, Any]:
    """Factor, measured coverage and cells of every slice. Less known is never surer: a class is at least as wide as the
    one that knows more.

    Coverage is measured crosswise: each source with the size that the other sources give; of a slice of few cells it is that
    of all engines.
    """
    scale = Scale.of(errors)
    weight = votes(errors)
    left = np.log(np.maximum(errors.size, SMALLEST)) - scale.crosswise(errors, weight)
    most = {
        kind: quantile(left, borrowed(errors, weight, kind), errors.source) for kind in {p[0] for p in errors.parts}
    }
    inside = left <= np.array([most[p[0]] for p in errors.parts])[errors.place]
    mean = scale.fitted(errors, weight)
    out: dict[str, Any] = {}
    for kind, engine, era in _asked(errors):
        widest = 0.0
        for known in CLASSES:
            size = float(np.exp(scale.row((kind, known, engine, era)) @ mean + most[kind]))
            widest = max(widest, size)
            held, number = _held(errors, _own(errors, (kind, known, engine, era)), inside)
            if held is None:
                held = _held(errors, _own(errors, (kind, known, "", "")), inside)[0]
            out[_name((kind, known, engine, era))] = {
                "factor": round(float(np.exp(widest)), 3),
                "coverage": held,
                "n": number,
            }
    return out


def votes(errors: Errors) -> Array:
    """The weight of each row. What comes next is another source: sources weigh alike in a kind of figure, as do the
    computers of a source and the cells of a computer."""
    kind = _numbered([p[0] for p in errors.parts])[errors.place]
    weight = 1 / np.bincount(errors.cell)[errors.cell]
    for level in (errors.computer, errors.source):
        group = _numbered(list(zip(kind.tolist(), level.tolist(), strict=True)))
        weight = weight / np.bincount(group, weight)[group]
    return np.asarray(weight)


def borrowed(errors: Errors, weight: Array, kind: str) -> Array:
    """The weight of each row for one kind of figure: the other kinds together weigh as BORROWED sources."""
    own = np.array([p[0] == kind for p in errors.parts])[errors.place]
    others = weight[~own].sum()
    return np.where(own, weight, weight * min(1.0, BORROWED / others) if others else 0.0)


def quantile(left: Array, weight: Array, source: IntArray) -> float:
    """The quantile that holds NOMINAL of the next source's rows (split conformal).

    The number of sources is what they weigh as (Kish 1965, Survey Sampling: square of the sum over the sum of the squares).
    """
    whole = np.bincount(source, weight)
    number = whole.sum() ** 2 / (whole**2).sum()
    order = np.argsort(left, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    last = int(np.searchsorted(reached, min(1.0, NOMINAL * (number + 1) / number) - 1e-12))
    return float(left[order][min(last, len(order) - 1)])


@dataclass(frozen=True, slots=True)
class Scale:
    """The mean logarithm of an error's size as a sum: of the kind of figure, of what is known, of engine and era, and of
    each of them with the kind. Everything but the mean of all is drawn towards 0 (ridge).

    terms: place of each in the sum; the first is the mean of all
    """

    terms: Mapping[tuple[str, ...], int]

    @classmethod
    def of(cls, errors: Errors) -> Scale:
        """The terms that the slices have."""
        found = dict.fromkeys(t for parts in errors.parts for t in _terms(parts))
        return cls({t: i for i, t in enumerate(found)})

    def row(self, parts: Slice) -> Array:
        """1 at the terms of a slice."""
        out = np.zeros(len(self.terms))
        out[[self.terms[t] for t in _terms(parts) if t in self.terms]] = 1
        return out

    def fitted(self, errors: Errors, weight: Array, kept: BoolArray | None = None) -> Array:
        """The value of each term, by the rows that are kept."""
        some = np.ones(len(errors.size), bool) if kept is None else kept
        rows = np.array([self.row(p) for p in errors.parts])
        size = np.log(np.maximum(errors.size, SMALLEST))
        place, each = errors.place[some], weight[some]
        whole = np.bincount(place, each, minlength=len(rows))
        right = rows.T @ np.bincount(place, each * size[some], minlength=len(rows))
        ridge = np.full(len(self.terms), BORROWED)
        ridge[0] = 1e-6
        return np.linalg.solve(rows.T @ (rows * whole[:, None]) + np.diag(ridge), right)

    def crosswise(self, errors: Errors, weight: Array) -> Array:
        """The mean size at each row, by the other sources."""
        rows = np.array([self.row(p) for p in errors.parts])
        out = np.zeros(len(errors.size))
        for number in np.unique(errors.source):
            own = errors.source == number
            kept = ~own if (~own).any() else own
            out[own] = rows[errors.place[own]] @ self.fitted(errors, weight, kept)
        return out


def _terms(parts: Slice) -> list[tuple[str, ...]]:
    kind, known, engine, era = parts
    alone = [("known", known), *([("engine", engine)] if engine else []), *([("era", era)] if era else [])]
    return [("all",), ("kind", kind), *alone, *((*t, kind) for t in alone)]


def _asked(errors: Errors) -> Iterable[tuple[str, str, str]]:
    """Kind, engine and era of every slice, and each kind for all engines."""
    found = {(kind, engine, era) for kind, _, engine, era in errors.parts}
    found |= {(kind, engine, "") for kind, engine, _ in found} | {(kind, "", "") for kind, _, _ in found}
    return sorted(found)


def _own(errors: Errors, parts: Slice) -> BoolArray:
    """The rows of a slice: "" is every engine and every era."""
    mine = [all(a in ("", b) for a, b in zip(parts, p, strict=True)) for p in errors.parts]
    return np.array(mine)[errors.place]


def _held(errors: Errors, own: BoolArray, inside: BoolArray) -> tuple[float | None, int]:
    """Share of a slice that is held, each cell alike, and the number of cells."""
    cells, index = np.unique(errors.cell[own], return_inverse=True)
    if len(cells) < LEAST or len(np.unique(errors.source[own])) < 2:
        return None, len(cells)
    return round(float(np.mean(np.bincount(index, inside[own]) / np.bincount(index))), 3), len(cells)


def _name(parts: Slice) -> str:
    return ", ".join(p for p in parts if p)


def _parts(name: str) -> Slice:
    kind, known, engine, era = (*name.split(", "), "", "")[:4]
    return kind, known, engine, era


def _numbered(labels: Sequence[Any]) -> IntArray:
    """A number for each different label."""
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels])
