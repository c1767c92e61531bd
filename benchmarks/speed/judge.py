"""Predictions, left-out folds, and the errors of each slice at cell level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.speed import fit as fitting
from benchmarks.speed import gains
from benchmarks.speed.columns import Array, Columns, columns, merged
from benchmarks.speed.fit import DECODE, PREFILL, Fit
from benchmarks.speed.observation import Observation
from gyakusan.catalog.speed_constants import slice_of
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
LEFT = "source"
"""What is left out for the intervals: what somebody else measures is another source, never a row of one that was fitted."""
FOLDS = 99
"""Most folds of sources: each source is left out alone, as the next user's computer is."""


def all_left_out(observations: Sequence[Observation]) -> tuple[Array, Array]:
    """Predictions by fits that left a source out, for everything that intervals are made of, and their folds."""
    return left_out(observations, GROUPS[LEFT], folds=FOLDS)
