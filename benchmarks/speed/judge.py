"""Predictions, left-out folds, and the errors of each slice at cell level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.speed import fit as fitting
from benchmarks.speed import gains
from benchmarks.speed.columns import Array, Columns, columns, merged
from benchmarks.speed.fit import DECODE, PREFILL, Fit
from benchmarks.speed.observation import Observation
from gyakusan.catalog.speed_constants import Evidence, interval_slices, slice_of
from gyakusan.core.arrays import BoolArray, IntArray
from gyakusan.core.roofline import SpeedConstants, closed_loop, decode_step, later_token

ROUNDS = 2
LEFT_STEPS = 40
"""Steps of a fit that leaves something out: those after it move predictions by less than one percent."""
UNUSED = ("localscore",)
"""Sources that no fit and no slice uses: their own spread on one card is a factor of 1.4 to 3."""


@dataclass(frozen=True, slots=True)
class Fits:
    """The two groups of constants."""

    prefill: Fit
    decode: Fit


def used(observations: Sequence[Observation]) -> list[Observation]:
    """What may be fitted and judged."""
    return [o for o in observations if o.source not in UNUSED]


@dataclass(frozen=True, slots=True)
class Timed:
    """What is fitted: repetitions as one entry. first: prompts and first tokens; later: decode steps."""

    first: Columns
    later: Columns

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> Timed:
        """The columns of both groups."""
        every = merged(used(observations))
        first = [o for o in every if o.kind in ("prefill", "ttft")]
        return cls(columns(first), columns([o for o in every if o.kind == "decode"]))

    def where(self, kept: Callable[[Observation], bool]) -> Timed:
        """The entries that `kept` says True of."""
        both = (self.first, self.later)
        return Timed(*(c.some(np.flatnonzero([kept(o) for o in c.observations])) for c in both))


def fit_all(timed: Timed, *, steps: int = 150) -> Fits:
    """Both groups in turn: prompts wait for decode steps, decode steps wait for prompts."""
    first, later = timed.first, timed.later
    wait = first.demand.dense_bytes / first.device.bandwidth / first.device.parallel
    prefill: Fit | None = None
    decode: Fit | None = None
    for _ in range(ROUNDS):
        prefill = fitting.run(Fit(PREFILL), first, fitting.prompter(wait), steps=steps, start=prefill)
        times = fitting.prefill_of(later, fitting.read_first(later, prefill.constants(later)))
        decode = fitting.run(Fit(DECODE), later, fitting.decoder(times), steps=steps, start=decode)
        wait = decode_step(first.demand, first.users, first.device, SpeedConstants(**decode.constants(first))).time
    assert prefill is not None
    assert decode is not None
    return Fits(prefill, decode)


def predict(fits: Fits, data: Columns) -> Array:
    """Seconds for every entry, whatever its kind."""
    k = fitting.read_first(data, {**fits.prefill.constants(data), **fits.decode.constants(data)})
    return seconds(data, k)


def seconds(data: Columns, k: SpeedConstants) -> Array:
    """Seconds for every entry, whatever its kind."""
    kind = np.array([o.kind for o in data.observations])
    prompt = fitting.prefill_of(data, k)
    step = decode_step(data.demand, data.users, data.device, k).time
    each = np.where(data.server, later_token(step, prompt, data.users, data.answer, k), step)
    whole = 1 / closed_loop(step, prompt, data.users, data.answer)
    first = fitting.first_of(data, prompt, step, k)
    alone = np.where(data.started, prompt + k.start, prompt)
    kinds = [kind == name for name in ("decode", "prefill", "ttft", "gain")]
    return np.select(kinds, [each, alone, first, gains.predicted(data, k)], whole)


def left_out(
    observations: Sequence[Observation], key: Callable[[Observation], Any], *, folds: int = 6
) -> tuple[Array, Array]:
    """Predictions of each observation by a fit that has seen nothing of its group, and its fold. Groups stay whole."""
    groups: dict[Any, float] = defaultdict(float)
    for o in observations:
        groups[key(o)] += 1
    fold: dict[Any, int] = {}
    folds = min(folds, len(groups))
    load = [0.0] * folds
    for name in sorted(groups, key=lambda g: (-groups[g], str(g))):
        best = load.index(min(load))
        fold[name] = best
        load[best] += groups[name] ** 0.5
    place = np.array([fold[key(o)] for o in observations])
    out = np.full(len(observations), np.nan)
    every, timed = columns(observations), Timed.of(observations)
    for number in range(folds):
        test = np.flatnonzero(place == number)
        fits = fit_all(timed.where(lambda o, left=number: fold[key(o)] != left), steps=LEFT_STEPS)
        out[test] = predict(fits, every.some(test))
    return out, place


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a slice: the median error of its observations, and the share that the interval covers."""

    error: float
    covered: float


def cells(observations: Sequence[Observation], predicted: Array, covered: Array) -> list[Cell]:
    """Errors of speeds, |predicted / measured - 1| of tokens per second, one value for each cell."""
    found: dict[Any, list[int]] = defaultdict(list)
    for i, o in enumerate(observations):
        found[o.cell].append(i)
    out = []
    for places in found.values():
        errors = [abs(observations[i].seconds / predicted[i] - 1) for i in places]
        out.append(Cell(float(np.median(errors)), float(np.mean([covered[i] for i in places]))))
    return out


def summary(name: str, found: Sequence[Cell]) -> dict[str, Any]:
    """One slice, as the report has it."""
    errors = np.array([c.error for c in found])
    return {
        "slice": name,
        "n": len(found),
        "median": round(float(np.median(errors)), 4),
        "p90": round(float(np.quantile(errors, 0.9)), 4),
        "within20": round(float((errors <= 0.2).mean()), 4),
        "within30": round(float((errors <= 0.3).mean()), 4),
        "coverage80": round(float(np.mean([c.covered for c in found])), 4),
    }


def group(o: Observation) -> str:
    """The slice of an observation, without its engine."""
    return slice_of(o.kind, o.users)


GROUPS: dict[str, Callable[[Observation], Any]] = {
    "source": lambda o: o.source,
    "cell": lambda o: o.cell,
    "architecture": lambda o: o.subject.model,
    "device": lambda o: o.subject.chip.name,
}
"""What is left out -> the group of an observation."""
CLASSES: tuple[Evidence, ...] = ("model", "device", "nothing")
"""What is known of a row, from most to least."""
LEFT = "source"
"""What is left out for the intervals: what somebody else measures is another source, never a row of one that was fitted."""
LARGEST = 0.08
"""Share of all observations beyond which a source says nothing of what a new one brings: the fit without it is not the
fit that is shipped."""
FOLDS = 99
"""Most folds of sources: each source is left out alone, as the next user's computer is."""
# The rule below has no exception for a slice. Its form was chosen with the coverage of these rows in view, so that rows newer
# than November 2026 judge it independently.
TODAY = 10
"""Sources of this year's builds that are enough for an interval: what older builds did says little of the next user's."""
LEAST = 12
"""Cells that an engine's slice needs for an interval of its own, from as many sources as it borrows."""
BORROWED = 6
"""Sources as which all that stands above a slice counts in it: the other engines for an engine, the other kinds of figure
for a kind. Few sources of its own thus borrow, many speak for themselves."""
NOMINAL = 0.8
UNSEEN = 2.0
"""Factor of the class that knows most where no row has it: only ratios to it count, and no slice is made of it."""
COLUMNS = ("place", "size", "cell", "computer", "source", "newer")
NameArray = Any
"""An array of names."""


@dataclass(frozen=True, slots=True)
class Errors:
    """What intervals are made of: rows that were predicted without their sources.

    slices: names of the narrowest slices; place: in them, of each row
    size: errors as logarithms, without sign
    cell, computer, source: their numbers, a computer being a device of a source
    newer: True for builds of this year and where nobody says
    own: True for rows of the slice in question; others are of the slice above it
    """

    slices: tuple[str, ...]
    place: IntArray
    size: Array
    cell: IntArray
    computer: IntArray
    source: IntArray
    newer: BoolArray
    own: BoolArray

    def some(self, kept: Array) -> Errors:
        """The rows at `kept`."""
        columns = {f: getattr(self, f)[kept] for f in (*COLUMNS, "own")}
        return Errors(slices=self.slices, **columns)

    def named(self, cut: int) -> NameArray:
        """The name of each row's slice without its last `cut` parts."""
        return np.array([name.rsplit(", ", cut)[0] for name in self.slices])[self.place]

    def written(self) -> dict[str, Any]:
        """What `read` reads."""
        size = [float(f"{x:.7g}") for x in self.size]
        columns = {f: size if f == "size" else getattr(self, f).astype(int).tolist() for f in COLUMNS}
        return {"slices": self.slices, **columns}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Errors:
        """What `written` wrote."""
        columns = {f: np.array(written[f]) for f in COLUMNS}
        columns["newer"] = columns["newer"].astype(bool)
        return cls(slices=tuple(written["slices"]), own=np.ones(len(columns["size"]), bool), **columns)


def factor(errors: Errors) -> tuple[float, int]:
    """The factor that holds NOMINAL of the errors, and the number of own cells. Split conformal over sources.

    What comes next is another source: sources weigh alike, as do the computers of a source and the cells of a computer;
    all sources above the slice together weigh as BORROWED of them.
    The number of sources is what they weigh as (Kish 1965, Survey Sampling: square of the sum over the sum of the squares).
    """
    cell, computer, source = (_apart(n, errors.own) for n in (errors.cell, errors.computer, errors.source))
    weight = 1 / np.bincount(cell)[cell]
    weight = weight / np.bincount(computer, weight)[computer]
    weight = weight / np.bincount(source, weight)[source]
    above = ~errors.own
    weight[above] *= min(1.0, BORROWED / max(1, len(np.unique(source[above]))))
    order = np.argsort(errors.size)
    reached = np.cumsum(weight[order]) / weight.sum()
    whole = np.bincount(source, weight)
    number = whole.sum() ** 2 / (whole**2).sum()
    last = min(int(np.searchsorted(reached, min(1.0, NOMINAL * (number + 1) / number))), len(order) - 1)
    return float(np.exp(errors.size[order][last])), len(np.unique(cell[errors.own]))


def _apart(numbers: IntArray, own: BoolArray) -> IntArray:
    """A number for each pair of a number and own or not."""
    pairs: IntArray = np.unique(numbers * 2 + own, return_inverse=True)[1]
    return pairs


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


def all_left_out(observations: Sequence[Observation]) -> tuple[Array, Array]:
    """Predictions by fits that left a source out, for everything that intervals are made of, and their folds."""
    return left_out(observations, GROUPS[LEFT], folds=FOLDS)


def errors_of(observations: Sequence[Observation], predicted: Array, fold: Array) -> Errors:
    """The errors of predictions that left the source of each row out."""
    known = evidence_left(observations, fold)
    names = [interval_slices(o.kind, o.subject.engine, o.users, k)[0] for o, k in zip(observations, known, strict=True)]
    return Errors(
        slices=tuple(dict.fromkeys(names)),
        place=_numbered(names),
        size=np.abs(np.log([o.seconds for o in observations]) - np.log(predicted)),
        cell=_numbered([(o.kind, o.cell) for o in observations]),
        computer=_numbered([(o.source, o.subject.chip.name) for o in observations]),
        source=_numbered([o.source for o in observations]),
        newer=np.array([not o.era for o in observations]),
        own=np.ones(len(observations), bool),
    )


def _numbered(labels: Sequence[Any]) -> IntArray:
    """A number for each different label."""
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels])


def calibrated(errors: Errors) -> dict[str, Any]:
    """The intervals of every slice. Less known is never surer: a class is at least as wide as the one that knows more.

    Of fewer than LEAST cells nobody can say how much wider: they borrow that from all kinds of figure, too.
    """
    found, out = intervals(errors), {}
    whole = _of_all_kinds(errors)
    for evidence in CLASSES:
        for name in sorted(n for n in found if f", {evidence}" in n):
            one, (least, before) = found[name], _surer(name, evidence, out)
            if before and one["n"] < LEAST:
                least = least ** max(1.0, np.log(whole[evidence]) / np.log(whole[before]))
            out[name] = {**one, "factor": max(one["factor"], round(float(least), 3))}
    return out


def _of_all_kinds(errors: Errors) -> dict[str, float]:
    """The factor of each class over all kinds of figure; of one that no row has, that of the class before, UNSEEN at first."""
    known = np.array([name.split(", ")[1] for name in errors.slices])[errors.place]
    counted = np.bincount(errors.source)[errors.source] <= LARGEST * len(errors.size)
    out: dict[str, float] = {}
    last = UNSEEN
    for evidence in CLASSES:
        mine = counted & (known == evidence)
        last = out[evidence] = factor(errors.some(mine))[0] if mine.any() else last
    return out


def _surer(name: str, evidence: Evidence, out: Mapping[str, Any]) -> tuple[float, Evidence | None]:
    """The factor of the class before that knows more, of the same engine or else of all, and it; 1 where there is none."""
    for before in reversed(CLASSES[: CLASSES.index(evidence)]):
        same, every = name.replace(f", {evidence}", f", {before}"), f"{name.partition(',')[0]}, {before}"
        if same in out or every in out:
            return float(out[same if same in out else every]["factor"]), before
    return 1.0, None


def intervals(errors: Errors) -> dict[str, Any]:
    """Factor, measured coverage and cells of every slice.

    A kind of figure borrows from the other kinds, an engine from the other engines (BORROWED). Coverage is measured
    crosswise: each source with the factor that the other sources give.
    """
    known = np.array([name.split(", ")[1] for name in errors.slices])[errors.place]
    engines, kinds = errors.named(0), errors.named(1)
    counted = np.bincount(errors.source)[errors.source] <= LARGEST * len(errors.size)
    out: dict[str, Any] = {}
    for mine, above, least in ((kinds, known, 0), (engines, kinds, LEAST)):
        for name in sorted(set(mine[counted])):
            own = mine == name
            among = counted & (above == above[own][0])
            if len(np.unique(errors.source[own & counted & errors.newer])) >= TODAY:
                among &= errors.newer
            some = replace(errors, own=own).some(among)
            value, number = factor(some)
            if not least or (number >= least and len(np.unique(some.source[some.own])) >= BORROWED):
                held = round(_crossed(some), 3) if number >= BORROWED else None
                out[str(name)] = {"factor": round(value, 3), "coverage": held, "n": number}
    return out


def _crossed(errors: Errors) -> float:
    """Share of the slice's own cells that are covered when their own source gave nothing to the factor."""
    inside = np.zeros(len(errors.size))
    for number in np.unique(errors.source[errors.own]):
        rest, test = errors.source != number, errors.own & (errors.source == number)
        if rest.any():
            inside[test] = errors.size[test] <= np.log(factor(errors.some(rest))[0])
    index = np.unique(errors.cell[errors.own], return_inverse=True)[1]
    return float(np.mean(np.bincount(index, inside[errors.own]) / np.bincount(index)))
