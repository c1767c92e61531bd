"""Quality: scores with errors, what quantisation costs, and which of two is better. No strict ranks.

A score is a number on a scale with two fixed points (Llama-3.1-8B-Instruct = 35, gpt-oss-120b with reasoning = 70);
10 points are about 8 percentage points of MMLU-Pro near 75 %. Every value may be a numpy array; shapes broadcast.
Source of scale and laws: tools/fit_quality.py of this project, from licence-clear scores (data/quality).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum, minimum, where

Basis = Literal["measured", "few", "vendor", "assumed"]
"""measured: 8 independent scores or more; few: 1 to 7; vendor: only the maker's own; assumed: size, date, family."""
Kind = Literal["k", "iq", "legacy", "mlx", "exl2", "bnb", "none"]
"""Kinds of quantisation that lose differently at the same width. none: 16 bits or more."""

SHARE80, TIE = 1.2815515655446004, 1.3
"""Standard errors on each side of an 80 % interval; differences below TIE standard errors are not shown."""


@dataclass(frozen=True, slots=True)
class Score:
    """value: quality; error: its standard error. [points]"""

    value: Number
    error: Number


@dataclass(frozen=True, slots=True)
class Law:
    """What quantisation costs: the share of above-chance accuracy that is kept.

    divergence: ln of the KL divergence of an 8B model is a quadratic of bits per weight (highest power first);
    scale, power, size: kept = exp(-scale * kind * divergence ^ power * (parameters / 8e9) ^ -size);
    kinds: factor of each kind; accuracy, chance: of the benchmark that the points refer to; points: points per logit of it;
    spread: error as a share of the penalty, between models; trusted: below this nothing should be promised [bits per weight].
    """

    divergence: tuple[float, float, float]
    scale: float
    power: float
    size: float
    kinds: dict[str, float]
    accuracy: float
    chance: float
    points: float
    spread: float
    trusted: float


def kept(law: Law, bits: Number, parameters: Number, kind: Kind) -> Number:
    """Share of above-chance accuracy that is left, 0 to 1. bits: per weight, effective; parameters: all weights.

    Above the width where the quadratic has its minimum (11.9 bits) nothing more is gained; from 15.5 bits nothing is lost.
    """
    second, first, zero = law.divergence
    width = minimum(bits, -first / (2 * second))
    divergence = exp(second * width * width + first * width + zero)
    factor = 0.0 if kind == "none" else law.kinds[kind]
    lost = law.scale * factor * divergence**law.power * (parameters / 8e9) ** -law.size
    return where(bits >= 15.5, 1.0, exp(-lost))


def penalty(law: Law, bits: Number, parameters: Number, kind: Kind, native: Number = 16.0) -> Score:
    """Points that a quantisation costs, with error. native: width at which the model was trained; nothing is lost there.

    The loss of accuracy is that of a benchmark at `accuracy` with answers to guess (`chance`); points by its logit.
    """
    left = law.chance + (law.accuracy - law.chance) * kept(law, bits, parameters, kind)
    lost = law.points * (logit(law.accuracy) - logit(left))
    lost = where(bits >= 0.95 * native, 0.0 * lost, maximum(lost, 0.0 * lost))
    return Score(lost, law.spread * lost)


def less(score: Score, cost: Score) -> Score:
    """A score after a penalty; errors add in squares."""
    return Score(score.value - cost.value, _hypot(score.error, cost.error))


def better(a: Score, b: Score) -> Number:
    """P(a is better than b), 0 to 1. Errors are taken as independent and normal; 0.5 where nothing is known."""
    spread = maximum(_hypot(a.error, b.error), 1e-12)
    return normal((a.value - b.value) / spread)


def tied(a: Score, b: Score) -> Number:
    """True where the difference is too small to be shown: below 1.3 standard errors of it (80 %)."""
    gap = a.value - b.value
    return where(gap < 0, -gap, gap) < TIE * _hypot(a.error, b.error)


def band(score: Score, errors: float = SHARE80) -> tuple[Number, Number]:
    """Low and high end of the interval, 80 % unless told. errors: standard errors on each side."""
    return score.value - errors * score.error, score.value + errors * score.error


def floor(score: Score) -> Number:
    """What to sort by when somebody asks for the best: one error below, so that nothing wins by being unknown."""
    return score.value - score.error


def ties(scores: Sequence[Score]) -> tuple[tuple[int, ...], ...]:
    """Indices in groups, best group first. A group is led by the highest value left and holds all that are tied with it.

    Two of a group may differ from each other; each is tied with its leader. Within a group: highest value first.
    """
    left = sorted(range(len(scores)), key=lambda n: (-scores[n].value, n))
    groups = []
    while left:
        leader = left[0]
        group = [n for n in left if n == leader or tied(scores[leader], scores[n])]
        groups.append(tuple(group))
        left = [n for n in left if n not in set(group)]
    return tuple(groups)


def kind_of(quantization: str) -> Kind:
    """Kind of a quantisation by its name: "Q4_K_M" -> k. 4-bit formats without measurements (AWQ, GPTQ, NVFP4) count as exl2."""
    name = quantization.strip().upper().replace("-", "_")
    if name.startswith("MLX") or name.endswith("BIT"):
        return "none" if "16" in name else "mlx"
    if name in ("F32", "F16", "BF16", "FP16", "FP32", "BFLOAT16", "NONE", ""):
        return "none"
    if name.startswith(("IQ", "TQ")):
        return "iq"
    if "_K" in name or name == "Q8_0":
        return "k"
    if name.startswith("Q"):
        return "legacy"
    return "bnb" if name.startswith(("NF4", "BNB", "INT8")) else "exl2"


@dataclass(frozen=True, slots=True)
class Line:
    """What a benchmark says: logit = level + loading . (ability, Japanese, coding, reasoning) + house * nuisance + noise.

    house: loading of what one tester's scores share; variance: of the noise.
    """

    level: float
    loading: tuple[float, float, float, float]
    house: float
    variance: float


Vector = tuple[float, ...]
Matrix = tuple[tuple[float, ...], ...]


def observed(mean: Vector, covariance: Matrix, seen: Sequence[tuple[Line, float]]) -> tuple[Vector, Matrix]:
    """Ability after scores of one tester, in closed form. mean: (4,); covariance: (4, 4); seen: lines with scores 0 to 1.

    The tester's own habit is a fifth unknown of mean 0 and variance 1, shared by its scores, so that ten scores of one
    person do not count as ten opinions. One step of a Kalman filter for each score; their order does not matter.
    """
    m = [*mean, 0.0]
    v = [[*row, 0.0] for row in covariance] + [[0.0] * 4 + [1.0]]
    for line, score in seen:
        loading = (*line.loading, line.house)
        away = (
            float(logit(min(max(score, 0.015), 0.99)))
            - line.level
            - sum(a * b for a, b in zip(loading, m, strict=True))
        )
        toward = [sum(a * b for a, b in zip(row, loading, strict=True)) for row in v]
        spread = sum(a * b for a, b in zip(loading, toward, strict=True)) + line.variance
        m = [a + g * away / spread for a, g in zip(m, toward, strict=True)]
        v = [[v[i][j] - toward[i] * toward[j] / spread for j in range(5)] for i in range(5)]
    return tuple(m[:4]), tuple(tuple(row[:4]) for row in v[:4])


def logit(p: Number) -> Number:
    """ln(p / (1 - p))."""
    if not is_array(p):
        return math.log(p / (1 - p))
    import numpy as np

    return np.log(p / (1 - p))


def exp(x: Number) -> Number:
    """e^x, elementwise."""
    if not is_array(x):
        return math.exp(x)
    import numpy as np

    return np.exp(x)


def normal(z: Number) -> Number:
    """Standard normal distribution function, within 1e-7.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.2.17.
    """
    size = where(z < 0, -z, z)
    size = minimum(size, 38.0)
    t = 1 / (1 + 0.2316419 * size)
    tail = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    above = 1 - tail * exp(-size * size / 2) / math.sqrt(2 * math.pi)
    return where(z < 0, 1 - above, above)


def _hypot(a: Number, b: Number) -> Number:
    return (a * a + b * b) ** 0.5
