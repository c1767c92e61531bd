"""Fit the constants: logarithms of base and multipliers, each with a Gaussian prior, robust least squares.

Every parameter enters one constant only, so that the Jacobian needs one derivative for each constant, not each parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec import structs

from benchmarks.speed.columns import HARNESS, SOURCE, Array, Columns
from gyakusan.catalog.speed_constants import SERVERS, STEADY, scan, waits
from gyakusan.core.arrays import IntArray
from gyakusan.core.roofline import SpeedConstants, decode_step, first_token, later_token, prefill_time

NOISE = 0.12
"""Scale of an error that is no surprise, as a logarithm."""
DELTA = 2.5
"""Beyond so many times NOISE an error counts linearly (pseudo-Huber)."""

OWN = (SOURCE, HARNESS)
"""Levels of what one campaign has of its own, which is fitted and never kept."""

Spec = Mapping[str, tuple[float, float, Mapping[str, float]]]
"""constant -> (expected value, spread of its logarithm, level -> spread of the multipliers' logarithms)."""

# Wide spreads for devices and families let each absorb its own rows, and a device that nobody measured inherits what is
# left: slow computers of a few people. So what differs between chips is first put down to arithmetic (`compute`: a chip
# with few operations for each byte unpacks weights more slowly than it reads them), then to the cost of a layer, and only
# a little to the share of the bandwidth that is reached.
DECODE: Spec = {
    "weights": (
        0.88,
        0.1,
        {
            "backend": 0.04,
            "quant": 0.2,
            "api quant": 0.03,
            "engine quant": 0.08,
            "family": 0.05,
            "family quant": 0.06,
            "device": 0.07,
            "model": 0.05,
            "model api": 0.05,
            "era": 0.08,
            SOURCE: 0.08,
        },
    ),
    "cache": (0.63, 0.4, {"backend": 0.4, "family": 0.2, "build": 0.3}),
    "state": (0.25, 0.5, {"backend": 0.5, "engine family": 0.4}),
    "compute": (0.1, 0.3, {"engine quant": 0.4, "api": 0.1, "family": 0.3, "device": 0.3}),
    "attend": (0.08, 0.7, {"backend": 0.6}),
    "layer": (
        4e-05,
        0.2,
        {"api": 0.2, "engine": 0.2, "family": 0.25, "device": 0.3, "engine family": 0.2, "era": 0.2, SOURCE: 0.15},
    ),
    "expert": (4e-05, 0.7, {"engine": 0.1, "api": 0.1, "family": 0.3, SOURCE: 0.2}),
    "hybrid": (8e-06, 0.7, {"engine": 0.3, "api": 0.5, "engine family": 1.0, SOURCE: 0.2}),
    "fixed": (0.0002, 0.7, {"engine": 0.5}),
    "sequence": (1.6e-05, 0.8, {"engine": 0.5}),
    "overlap": (0.97, 0.15, {"engine": 0.1, HARNESS: 0.15}),
    "few": (4.0, 0.7, {"api": 0.7, "api quant": 0.4, "era": 0.4, SOURCE: 0.3}),
    "many": (8.0, 0.7, {"api": 0.5, "api quant": 0.4, "era": 0.4, SOURCE: 0.3}),
    "hop": (8e-06, 0.6, {"link": 0.5, "engine": 0.3}),
    "wire": (0.15, 0.5, {"link": 0.3, "family": 0.2}),
    "blend": (0.3, 0.6, {"style": 0.5, "engine": 0.3, "engine style": 0.3}),
}
PREFILL: Spec = {
    "mfu": (
        0.4,
        0.4,
        {
            "engine": 0.12,
            "api": 1,
            "api quant": 0.12,
            "engine quant": 0.12,
            "family": 0.14,
            "device": 0.15,
            "model": 0.02,
            "build": 0.15,
            "build model": 0.375,
            "engine family": 0.3,
            "era": 0.2,
            SOURCE: 0.15,
        },
    ),
    "routed": (0.6, 0.4, {"api": 0.3, "engine": 0.3, "api quant": 0.032, "family": 0.15}),
    "rows": (60, 0.8, {}),
    "rows_routed": (15, 0.8, {}),
    "stream": (0.57, 0.3, {}),
    "attention": (0.2, 0.6, {"backend": 0.2, "family": 0.048, "build": 0.4, "build model": 0.08, "era": 0.2}),
    "chunk": (0.0001, 0.8, {"backend": 1, "family": 0.3}),
    "scan": (1.0, 1.0, {"backend": 0.7, SOURCE: 0.2}),
    "bus": (0.5, 0.5, {"link": 0.3, "family": 0.2}),
    "start": (0.02, 1, {"engine": 0.7, "style": 0.2}),
}


@dataclass(slots=True)
class Fit:
    """Parameters of one group of constants. theta: logarithms; index: constant -> level -> label -> place in theta."""

    spec: Spec
    theta: Array = field(default_factory=lambda: np.array([]))
    mean: Array = field(default_factory=lambda: np.array([]))
    sd: Array = field(default_factory=lambda: np.array([]))
    index: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    def prepare(self, data: Columns) -> None:
        """Name every parameter that the data can tell something about."""
        mean, sd = [], []
        for name, (value, spread, levels) in self.spec.items():
            self.index[name] = {"base": {"": len(mean)}}
            mean.append(np.log(value))
            sd.append(spread)
            for level, width in levels.items():
                found = [label for label in np.unique(data.labels[level]) if label]
                self.index[name][level] = {label: len(mean) + i for i, label in enumerate(found)}
                mean += [0.0] * len(found)
                sd += [width] * len(found)
        self.mean, self.sd = np.array(mean), np.array(sd)
        self.theta = self.mean.copy()

    def places(self, data: Columns, *, sources: bool = True) -> dict[str, IntArray]:
        """constant -> matrix of places in theta, one row for each level; the place after the last holds 0."""
        none = len(self.theta)
        known = {level: np.unique(values, return_inverse=True) for level, values in data.labels.items()}
        out = {}
        for name, levels in self.index.items():
            rows = [np.full(len(data), levels["base"][""])]
            for level, labels in levels.items():
                if level != "base" and (sources or level not in OWN):
                    found, entry = known[level]
                    rows.append(np.array([labels.get(v, none) for v in found], int)[entry])
            out[name] = np.stack(rows)
        return out

    def values(self, places: Mapping[str, IntArray], theta: Array | None = None) -> dict[str, Array]:
        """The logarithm of each constant, for every entry."""
        full = np.append(self.theta if theta is None else theta, 0.0)
        return {name: full[rows].sum(axis=0) for name, rows in places.items()}

    def constants(self, data: Columns, *, sources: bool = False) -> dict[str, Array]:
        """Each constant, for every entry. sources: with what was fitted for its source alone, which a user never is."""
        return {name: np.exp(log) for name, log in self.values(self.places(data, sources=sources)).items()}


Predict = Callable[[Columns, SpeedConstants], Array]
"""Seconds for every entry."""


def run(fit: Fit, data: Columns, predict: Predict, *, steps: int = 150, start: Fit | None = None) -> Fit:
    """Levenberg-Marquardt on the robust errors and the priors. start: begin at the parameters of another fit."""
    fit.prepare(data)
    if start is not None:
        _take(fit, start)
    places = fit.places(data)
    terms, root = Terms.of(places, len(fit.theta)), np.sqrt(data.weight)
    quiet, damping, state = 0, 1e-2, _state(fit, fit.theta, data, predict, places, root)
    for _ in range(steps):
        slopes = _slopes(data, predict, terms, root, state)
        prior = (fit.theta - fit.mean) / fit.sd
        gradient = slopes.back(state[1]) + prior / fit.sd
        for _ in range(12):
            step = slopes.solve(1 / fit.sd**2, damping, -gradient)
            trial = fit.theta + step * min(1.0, 1.5 / max(1e-9, float(np.abs(step).max())))
            new = _state(fit, trial, data, predict, places, root)
            if new[0] < state[0]:
                break
            damping *= 4
        else:
            break
        gain, state, fit.theta, damping = (state[0] - new[0]) / state[0], new, trial, max(damping / 4, 1e-7)
        quiet = quiet + 1 if gain < 1e-5 else 0
        if quiet >= 3:
            break
    return fit


def _take(fit: Fit, other: Fit) -> None:
    for name, levels in fit.index.items():
        for level, labels in levels.items():
            known = other.index.get(name, {}).get(level, {})
            for label, place in labels.items():
                if label in known:
                    fit.theta[place] = other.theta[known[label]]


def _state(
    fit: Fit, theta: Array, data: Columns, predict: Predict, places: Mapping[str, IntArray], root: Array
) -> tuple[float, Array, Array, dict[str, Array]]:
    """Cost, robust errors, plain predictions (logarithms), constants (logarithms)."""
    logs = fit.values(places, theta)
    said = np.log(predict(data, constants_of(data, logs)))
    error = (said - data.log) / NOISE
    robust = root * np.sign(error) * np.sqrt(2 * DELTA**2 * (np.sqrt(1 + (error / DELTA) ** 2) - 1))
    prior = (theta - fit.mean) / fit.sd
    return float(robust @ robust + prior @ prior), robust, said, logs


@dataclass(frozen=True, slots=True)
class Terms:
    """Which parameters make each constant of each entry: entries of one constant with the same labels share a term.

    term: of each constant of each entry (constants, entries); places: of the parameters of each term (levels, terms), the
    place after the last where a term has fewer; number: of parameters
    """

    term: IntArray
    places: IntArray
    number: int

    @classmethod
    def of(cls, places: Mapping[str, IntArray], number: int) -> Terms:
        """Find the distinct terms. places: constant -> of its parameters (levels, entries), as Fit.places gives them."""
        term, kept, before = [], [], 0
        most = max(len(m) for m in places.values())
        for matrix in places.values():
            found, inverse = np.unique(matrix, axis=1, return_inverse=True)
            term.append(inverse.ravel() + before)
            kept.append(np.concatenate([found, np.full((most - len(found), found.shape[1]), number)]))
            before += found.shape[1]
        return cls(np.stack(term), np.concatenate(kept, axis=1), number)


@dataclass(frozen=True, slots=True)
class Slopes:
    """The Jacobian of the robust errors.

    terms: see Terms; values: slopes of each constant of each entry (constants, entries)
    """

    terms: Terms
    values: Array

    def forward(self, theta: Array) -> Array:
        """Change of every error when the parameters change by theta."""
        moved = np.append(theta, 0.0)[self.terms.places].sum(axis=0)
        change: Array = np.einsum("ij,ij->j", self.values, moved[self.terms.term])
        return change

    def back(self, errors: Array) -> Array:
        """The transposed product."""
        return self._gathered(self.values * errors)

    def curvature(self, prior: Array) -> Array:
        """The diagonal of the equations, of which each place of an entry counts alone."""
        return self._gathered(self.values**2) + prior

    def _gathered(self, each: Array) -> Array:
        """The sum over all entries for every parameter. each: of every constant of every entry (constants, entries)."""
        places = self.terms.places
        term = np.bincount(self.terms.term.ravel(), each.ravel(), places.shape[1])
        return np.bincount(places.ravel(), np.tile(term, len(places)), self.terms.number + 1)[:-1]

    def solve(self, prior: Array, damping: float, right: Array, tolerance: float = 1e-6) -> Array:
        """Levenberg-Marquardt's step by conjugate gradients, each parameter scaled by its own curvature.

        Hestenes and Stiefel 1952; for the few parameters of each entry it takes a hundredth of a dense solution's time.
        """
        curvature = self.curvature(prior)
        ridge, scale = prior + damping * curvature, (1 + damping) * curvature
        step, left = np.zeros(len(right)), right.copy()
        scaled = left / scale
        way, size = scaled.copy(), float(left @ scaled)
        enough = tolerance * size
        for _ in range(400):
            if size <= enough:
                break
            along = self.back(self.forward(way)) + ridge * way
            far = size / float(way @ along)
            step, left = step + far * way, left - far * along
            scaled = left / scale
            size, before = float(left @ scaled), size
            way = scaled + size / before * way
        return step


def _slopes(
    data: Columns,
    predict: Predict,
    terms: Terms,
    root: Array,
    state: tuple[float, Array, Array, dict[str, Array]],
) -> Slopes:
    _, _, said, logs = state
    error = (said - data.log) / NOISE
    bend = np.sqrt(1 + (error / DELTA) ** 2)
    radius = np.sqrt(np.maximum(2 * DELTA**2 * (bend - 1), 1e-12))
    slope = root / NOISE * np.where(radius > 1e-5, np.abs(error) / bend / np.maximum(radius, 1e-9), 1.0)
    values = []
    for name in logs:
        moved = {k: v + (1e-4 if k == name else 0.0) for k, v in logs.items()}
        change = (np.log(predict(data, constants_of(data, moved))) - said) / 1e-4 * slope
        values.append(change)
    return Slopes(terms, np.stack(values))


def constants_of(data: Columns, logs: Mapping[str, Array]) -> SpeedConstants:
    """Constants from their logarithms, with those that are known and not fitted."""
    return read_first(data, {k: np.exp(v) for k, v in logs.items()})


def read_first(data: Columns, values: Mapping[str, Array]) -> SpeedConstants:
    """Constants from their values; those that follow from how prompts are taken, come and are computed are known.

    catalog.speed_constants: waits, prompts_first, scan
    """
    if "scan" not in values:
        return SpeedConstants(**values, together=data.together)
    whole = np.where(data.absorbed, values["scan"], scan(SERVERS[0])["scan"])
    one_by_one = (data.labels["style"] == STEADY) & (data.together == 0)
    alone = {**values, **waits(STEADY)}
    known = {name: np.where(one_by_one, alone[name], all_at_once) for name, all_at_once in waits("wave").items()}
    return SpeedConstants(**{**values, **known, "scan": whole}, together=data.together)


def prefill_of(data: Columns, k: SpeedConstants) -> Array:
    """Time of one prompt. [s]"""
    return prefill_time(data.demand, data.prompt, data.piece, data.attention, data.device, k)


def first_of(data: Columns, prompt: Array, step: Array, k: SpeedConstants) -> Array:
    """Times to first tokens as each source counts them.

    Some are means over turns of which the first come together (opening). Where all answers are of one length, users end one
    after the other, each with the step that computes the prompt of the one before (even): a prompt that comes then finds
    the next step begun, with its predecessor's prompt in it, and waits for that and for its own.
    """
    later = first_token(prompt, data.users, step, data.answer, k, data.prompt)
    alone = first_token(prompt, np.ones(len(data)), step, data.answer, k, data.prompt)
    later = np.where(data.even & (data.users > 1), alone + prompt + step, later)
    opening = structs.replace(k, **waits("wave"))
    first = first_token(prompt, data.users, step, data.answer, opening, data.prompt)
    return (1 - data.opening) * later + data.opening * first


def prompter(step: Array) -> Predict:
    """Prefill and first-token observations (with one user both are the same), steps taken from another fit."""

    def predict(data: Columns, k: SpeedConstants) -> Array:
        prompt = prefill_of(data, k)
        first = first_of(data, prompt, step, k)
        return np.where(data.started, first, prompt)

    return predict


def decoder(prompt_time: Array) -> Predict:
    """Decode observations, prompts of the others taken from another fit."""

    def predict(data: Columns, k: SpeedConstants) -> Array:
        step = decode_step(data.demand, data.users, data.device, k).time
        mixed = later_token(step, prompt_time, data.users, data.answer, k)
        return np.where(data.server, mixed, step)

    return predict


def write(fits: tuple[Fit, ...], least: float = 0.004) -> dict[str, Any]:
    """The constants as speed_constants.json holds them. Multipliers within `least` of 1 are left out."""
    out: dict[str, Any] = {}
    for fit in fits:
        for name, levels in fit.index.items():
            kept: dict[str, dict[str, float]] = {}
            for level, labels in levels.items():
                if level in ("base", *OWN):
                    continue
                found = {
                    k: round(float(np.exp(fit.theta[i])), 4) for k, i in labels.items() if abs(fit.theta[i]) > least
                }
                if found:
                    kept[level] = found
            base = float(np.exp(fit.theta[levels["base"][""]]))
            out[name] = {"base": float(f"{base:.5g}"), **({"levels": kept} if kept else {})}
    return out
