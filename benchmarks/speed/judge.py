"""Predictions, left-out folds, and the errors of each slice at cell level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.speed import fit as fitting
from benchmarks.speed import gains
from benchmarks.speed.columns import Array, Columns, columns, merged
from benchmarks.speed.fit import DECODE, PREFILL, Fit
from benchmarks.speed.observation import Observation
from gyakusan.catalog.speed_constants import Evidence, interval_slices, slice_of
from gyakusan.core.roofline import SpeedConstants, closed_loop, decode_step, first_token, later_token

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


def fit_all(observations: Sequence[Observation], *, steps: int = 150) -> Fits:
    """Both groups in turn: prompts wait for decode steps, decode steps wait for prompts."""
    every = merged(used(observations))
    first = columns([o for o in every if o.kind in ("prefill", "ttft")])
    later = columns([o for o in every if o.kind == "decode"])
    wait = first.demand.dense_bytes / first.device.bandwidth / first.device.parallel
    prefill: Fit | None = None
    decode: Fit | None = None
    for _ in range(ROUNDS):
        prefill = fitting.run(Fit(PREFILL), first, fitting.prompter(wait), steps=steps, start=prefill)
        times = fitting.prefill_of(later, SpeedConstants(**prefill.constants(later)))
        decode = fitting.run(Fit(DECODE), later, fitting.decoder(times), steps=steps, start=decode)
        wait = decode_step(first.demand, first.users, first.device, SpeedConstants(**decode.constants(first))).time
    assert prefill is not None
    assert decode is not None
    return Fits(prefill, decode)


def predict(fits: Fits, observations: Sequence[Observation]) -> Array:
    """Seconds for every observation, whatever its kind."""
    if not observations:
        return np.array([])
    data = columns(observations)
    k = fitting.read_first(data, {**fits.prefill.constants(data), **fits.decode.constants(data)})
    return seconds(data, k)


def seconds(data: Columns, k: SpeedConstants) -> Array:
    """Seconds for every entry, whatever its kind."""
    kind = np.array([o.kind for o in data.observations])
    prompt = fitting.prefill_of(data, k)
    step = decode_step(data.demand, data.users, data.device, k).time
    each = np.where(data.server, later_token(step, prompt, data.users, data.answer, k), step)
    whole = 1 / closed_loop(step, prompt, data.users, data.answer)
    first = first_token(prompt, data.users, step, data.answer, k, data.prompt)
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
    for number in range(folds):
        test = [o for o, p in zip(observations, place, strict=True) if p == number]
        train = [o for o, p in zip(observations, place, strict=True) if p != number]
        out[place == number] = predict(fit_all(train, steps=LEFT_STEPS), test)
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
Left = Mapping[str, tuple[Array, Array]]
"""What is left out -> predictions without it, and the fold of each observation."""
LEFT: dict[str, Evidence] = {"source": "model", "architecture": "device", "device": "nothing"}
"""What is left out for the intervals -> whose intervals: what somebody else measures of a known device and model is
another source, never a row of one that was fitted."""
LARGEST = 0.08
"""Share of all observations beyond which a source says nothing of what a new one brings: the fit without it is not the
fit that is shipped."""
FOLDS = {"source": 99}
"""Most folds where they are not 6: each source is left out alone, as the next user's computer is."""
TODAY = 10
"""Sources of this year's builds that are enough for an interval: what older builds did says little of the next user's."""
LEAST, GROUPED = 12, 6
"""Cells, and groups that were left out together, that a slice needs for an interval of its own."""
NOMINAL = 0.8


def factor(errors: Array, cells: Array, groups: Array, *, finite: bool = True) -> tuple[float, int]:
    """The factor that covers NOMINAL of the cells' errors, each cell counting once; and their number.

    Split conformal. What comes next is another group (source, device, architecture), so that groups are counted, not
    cells: a device or an architecture of many cells weighs as the root of their number. finite: as much more as split
    conformal asks of few groups. Without it, for sources, each counts once, and the factor is the errors' own quantile.
    """
    _, place = np.unique(cells, return_inverse=True)
    names, member = np.unique(groups, return_inverse=True)
    number = len(names)
    weight = 1 / np.bincount(place)[place]
    weight = weight * np.bincount(member, weight)[member] ** (-0.5 if finite else -1.0)
    order = np.argsort(errors)
    reached = np.cumsum(weight[order]) / weight.sum()
    level = min(1.0, NOMINAL * (number + 1) / number) if finite else NOMINAL
    last = min(int(np.searchsorted(reached, level)), len(errors) - 1)
    return float(np.exp(errors[order][last])), int(place.max()) + 1


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


def all_left_out(observations: Sequence[Observation]) -> Left:
    """Predictions by fits that left something out, for everything that intervals are made of."""
    return {left: left_out(observations, GROUPS[left], folds=FOLDS.get(left, 6)) for left in LEFT}


def calibrated(observations: Sequence[Observation], every: Left) -> dict[str, Any]:
    """The intervals of every slice. Less known is never surer: a class is at least as wide as the one that knows more."""
    out: dict[str, Any] = {}
    for left, evidence in LEFT.items():
        found = intervals(observations, left, *every[left])
        for name, one in found.items():
            if f", {evidence}" in name:
                out[name] = {**one, "factor": max(one["factor"], _surer(name, evidence, out))}
    return out


def _surer(name: str, evidence: Evidence, out: dict[str, Any]) -> float:
    """The factor of the class that knows more, of the same engine or else of all; 1 for the class that knows most."""
    names = tuple(LEFT.values())
    if evidence == names[0]:
        return 1.0
    before = names[names.index(evidence) - 1]
    same, every = name.replace(f", {evidence}", f", {before}"), f"{name.partition(',')[0]}, {before}"
    return float(next((out[n]["factor"] for n in (same, every) if n in out), 1.0))


def intervals(observations: Sequence[Observation], left: str, predicted: Array, fold: Array) -> dict[str, Any]:
    """Factor, measured coverage and cells of every slice, from predictions that left something out.

    Coverage is measured crosswise: each fold with the factor that the other folds give.
    """
    key, known = GROUPS[left], evidence_left(observations, fold)
    error = np.abs(np.log([o.seconds for o in observations]) - np.log(predicted))
    numbers = {c: i for i, c in enumerate(dict.fromkeys((o.kind, o.cell) for o in observations))}
    cell = np.array([numbers[o.kind, o.cell] for o in observations])
    names = {g: i for i, g in enumerate(dict.fromkeys(key(o) for o in observations))}
    group_of = np.array([names[key(o)] for o in observations])
    places: dict[str, list[int]] = defaultdict(list)
    whole = np.bincount(group_of)[group_of] > LARGEST * len(observations) if left == "source" else np.zeros(len(error))
    for i, o in enumerate(observations):
        if whole[i]:
            continue
        for name in interval_slices(o.kind, o.subject.engine, o.users, known[i])[:2]:
            places[name].append(i)
    out: dict[str, Any] = {}
    current: set[str] = set()
    for name, found in sorted(places.items()):
        newer = [i for i in found if not observations[i].era]
        enough = left == "source" and len({group_of[i] for i in newer}) >= TODAY
        if enough:
            current.add(name)
        elif len(newer) < len(found) and name.rpartition(", ")[0] in current:
            # all engines of today say more of the next user than this engine with its older builds: chosen after the fresh
            # prompts were seen to be held too often, so only rows that are newer than November 2026 can judge it
            continue
        at = np.array(newer if enough else found)
        value, cells_ = factor(error[at], cell[at], group_of[at], finite=left != "source")
        if cells_ >= LEAST and len(np.unique(group_of[at])) >= GROUPED:
            coverage = _crossed(error[at], cell[at], group_of[at], fold[at], finite=left != "source")
            out[name] = {"factor": round(value, 3), "coverage": round(coverage, 3), "n": cells_}
    return out


def _crossed(error: Array, cell: Array, groups: Array, fold: Array, *, finite: bool) -> float:
    """Share of the cells that are covered when their own fold gave nothing to the factor."""
    inside = np.zeros(len(error))
    for number in np.unique(fold):
        rest = fold != number
        if rest.any():
            inside[~rest] = error[~rest] <= np.log(factor(error[rest], cell[rest], groups[rest], finite=finite)[0])
    index = np.unique(cell, return_inverse=True)[1]
    return float(np.mean(np.bincount(index, inside) / np.bincount(index)))
