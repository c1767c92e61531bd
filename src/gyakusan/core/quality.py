"""Quality: scores with errors, what quantisation costs, and which of two is better. No strict ranks.

A score is a number on a scale with two fixed points (Llama-3.1-8B-Instruct = 35, gpt-oss-120b with reasoning = 70);
10 points are about 8 percentage points of MMLU-Pro near 75 %. Every value may be a numpy array; shapes broadcast.
Source of scale and laws: tools/fit_quality.py of this project, from licence-clear scores (data/quality).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum, minimum, where

Basis = Literal["measured", "few", "vendor", "assumed"]
"""Evidence of a quality.

measured: 8 independent scores or more; few: 1 to 7; vendor: only the maker's own; assumed: from size, date, family.
"""
Kind = Literal["k", "iq", "legacy", "mlx", "exl2", "bnb", "none"]
"""Kinds of quantisation that lose differently at the same width. none: 16 bits or more."""

Vector = tuple[float, ...]
Matrix = tuple[tuple[float, ...], ...]

DIMENSIONS = 5
"""Unknowns of a model: its ability, and its departures in Japanese, algorithmic coding, reasoning and agentic coding."""
BOTTOM, TOP = 0.0, 100.0
"""Ends of the scale [points]. What is beyond them is said to be there: above the top hardly anything was measured by others
than makers, below the bottom models answer at random."""
SHARE80, TIE = 1.2815515655446004, 1.3
"""Standard errors on each side of an 80 % interval; differences below TIE standard errors are not shown."""


class Score(Struct, frozen=True):
    """A quality with its error.

    value: quality [points]
    error: its standard error [points]
    """

    value: Number
    error: Number


class Scale(Struct, frozen=True):
    """How ability and departures become points.

    mix: weights of ability and departures in each column (columns, DIMENSIONS) [points]
    offset: of each column (columns,) [points]
    """

    mix: Matrix
    offset: Vector

    def values(self, ability: Vector) -> tuple[float, ...]:
        """Return the points of each column, within the scale. ability: (DIMENSIONS,)."""
        rows = zip(self.mix, self.offset, strict=True)
        return tuple(
            float(bounded(low + sum(w * a for w, a in zip(weights, ability, strict=True)))) for weights, low in rows
        )

    def columns(self, ability: Vector, covariance: Matrix) -> tuple[Score, ...]:
        """Return the score of each column. ability: (DIMENSIONS,); covariance: (DIMENSIONS, DIMENSIONS)."""
        errors = (_deviation(weights, covariance) for weights in self.mix)
        return tuple(Score(value, error) for value, error in zip(self.values(ability), errors, strict=True))


class PenaltyLaw(Struct, frozen=True):
    """Constants of what quantisation costs.

    Of the accuracy above chance, exp(-scale * kind * divergence ^ power * (parameters / 8e9) ^ -size) is retained.

    divergence: ln of the KL divergence of an 8B model: coefficients of bits ^ 2, bits and 1
    scale: see above
    power: see above
    size: see above
    kinds: factor of each kind of quantisation
    accuracy: of the benchmark that the points refer to, without quantisation [fraction]
    chance: accuracy of guessing in that benchmark [fraction]
    points: per logit of that accuracy [points]
    spread: error of a penalty, between models [fraction of the penalty]
    trusted: width below which nothing can be promised [bits per weight]
    """

    divergence: tuple[float, float, float]
    scale: float
    power: float
    size: float
    kinds: Mapping[str, float]
    accuracy: float
    chance: float
    points: float
    spread: float
    trusted: float


def accuracy_retained(law: PenaltyLaw, bits: Number, parameters: Number, kind: Kind) -> Number:
    """Return the share of above-chance accuracy that quantised weights retain, 0 to 1.

    bits: effective width [bits per weight]
    parameters: all weights [values]
    Above the width where the quadratic has its minimum (11.9 bits) nothing more is gained; from 15.5 bits nothing is lost.
    """
    second, first, zero = law.divergence
    width = minimum(bits, -first / (2 * second))
    divergence = exp(second * width * width + first * width + zero)
    factor = 0.0 if kind == "none" else law.kinds[kind]
    lost = law.scale * factor * divergence**law.power * (parameters / 8e9) ** -law.size
    return where(bits >= 15.5, 1.0, exp(-lost))


def penalty(law: PenaltyLaw, bits: Number, parameters: Number, kind: Kind, native: Number = 16.0) -> Score:
    """Return the points that a quantisation costs, with their error.

    native: width at which the model was trained, where nothing is lost [bits per weight]
    The loss of accuracy is that of a benchmark at `accuracy` with answers to guess (`chance`); points by its logit.
    """
    accuracy = law.chance + (law.accuracy - law.chance) * accuracy_retained(law, bits, parameters, kind)
    lost = law.points * (logit(law.accuracy) - logit(accuracy))
    lost = where(bits >= 0.95 * native, 0.0 * lost, maximum(lost, 0.0 * lost))
    return Score(lost, law.spread * lost)


def after_penalty(score: Score, cost: Score) -> Score:
    """Return a score less a penalty, not below the bottom of the scale; errors add in squares."""
    return Score(maximum(score.value - cost.value, BOTTOM), _hypot(score.error, cost.error))


def bounded(points: Number) -> Number:
    """Return points within the scale."""
    return minimum(maximum(points, BOTTOM), TOP)


def better(a: Score, b: Score) -> Number:
    """Return the probability that a is better than b, 0 to 1. Errors count as independent and normal."""
    spread = maximum(_hypot(a.error, b.error), 1e-12)
    return normal_cdf((a.value - b.value) / spread)


def tied(a: Score, b: Score) -> Number:
    """Return True where the difference is too small to be shown: below 1.3 standard errors of it (80 %)."""
    gap = a.value - b.value
    return where(gap < 0, -gap, gap) < TIE * _hypot(a.error, b.error)


def kind_of(quantization: str) -> Kind:
    """Return the kind of a quantisation: "Q4_K_M" -> k. Unmeasured 4-bit formats (AWQ, GPTQ, NVFP4) count as exl2."""
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


class Benchmark(Struct, frozen=True):
    """What a score of one benchmark tells of a model.

    logit(score) = level + loading . (ability, departures) + house * habit of the tester + noise.

    level: of a model of ability 0 [logit]
    loading: weights of ability and of its departures in Japanese, coding, reasoning and agents [logit]
    house: weight of the habit that all scores of one tester share [logit]
    variance: of the noise [squared logit]
    """

    level: float
    loading: tuple[float, ...]
    house: float
    variance: float


def posterior(mean: Vector, covariance: Matrix, scores: Sequence[tuple[Benchmark, float]]) -> tuple[Vector, Matrix]:
    """Return mean (n,) and covariance (n, n) of ability after scores of one tester, in closed form.

    mean, covariance: before; scores: benchmarks with scores from 0 to 1
    The tester's own habit is one more unknown of mean 0 and variance 1, shared by its scores, so that ten scores of one
    person do not count as ten opinions. One step of a Kalman filter for each score; their order does not matter.
    """
    n = len(mean)
    m = [*mean, 0.0]
    v = [[*row, 0.0] for row in covariance] + [[0.0] * n + [1.0]]
    for benchmark, score in scores:
        loading = (*benchmark.loading, benchmark.house)
        expected = benchmark.level + sum(a * b for a, b in zip(loading, m, strict=True))
        surprise = float(logit(min(max(score, 0.015), 0.99))) - expected
        gain = [sum(a * b for a, b in zip(row, loading, strict=True)) for row in v]
        spread = sum(a * b for a, b in zip(loading, gain, strict=True)) + benchmark.variance
        m = [a + g * surprise / spread for a, g in zip(m, gain, strict=True)]
        v = [[v[i][j] - gain[i] * gain[j] / spread for j in range(n + 1)] for i in range(n + 1)]
    return tuple(m[:n]), tuple(tuple(row[:n]) for row in v[:n])


def logit(p: Number) -> Number:
    """Return ln(p / (1 - p))."""
    if not is_array(p):
        return math.log(p / (1 - p))
    import numpy as np

    return np.log(p / (1 - p))


def exp(x: Number) -> Number:
    """Return e^x, elementwise."""
    if not is_array(x):
        return math.exp(x)
    import numpy as np

    return np.exp(x)


def normal_cdf(z: Number) -> Number:
    """Return the standard normal distribution function, within 1e-7.

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


def _deviation(weights: Vector, covariance: Matrix) -> float:
    """Return the standard deviation of a weighted sum."""
    products = (
        w * sum(u * v for u, v in zip(weights, row, strict=True)) for w, row in zip(weights, covariance, strict=True)
    )
    return math.sqrt(max(sum(products), 0.0))
