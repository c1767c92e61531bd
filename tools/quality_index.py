"""From a fit to the index: seven columns, a fixed scale, an error for each figure, and the prior of models without scores."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gyakusan.catalog.quality_names import short_name
from gyakusan.core.arrays import Array
from tools import quality_model as qm

COLUMNS = ("overall", "general", "japanese", "coding", "reasoning", "agentic", "algorithmic")
"""overall: mean of general, coding and reasoning; coding: mean of agentic and algorithmic coding."""
MEANS = np.array(
    [
        [1 / 3, 0, 1 / 6, 1 / 3, 1 / 6],
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 1 / 2, 0, 1 / 2],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0],
    ]
)
"""Each of COLUMNS as a mean of general, Japanese, algorithmic, reasoning and agentic."""
LEAST_VENDOR = np.array([3.5, 3.5, 6.0, 4.5, 3.5, 4.5, 4.5])
"""Least error of a model that only its maker tested, for each of COLUMNS [points].
Source: index from makers' rows alone against index from independent rows alone, 32 models: rms 3.0, Japanese 5.6, coding 3.6,
reasoning 2.5 (field study of this project, November 2026)."""
ANCHORS = (("meta-llama/Llama-3.1-8B-Instruct", "off", 35.0), ("openai/gpt-oss-120b", "on", 70.0))
"""Two models whose figures never change, in every column: much tested, of known weights."""
REFERENCE = {
    "ja": re.compile(r"^swallow2/ja_"),
    "code": re.compile(r"LCB|lcb|livecodebench|JHumanEval|aider/poly"),
    "agent": re.compile(r"swe-verified|swe-pro|swe-ml|tb2|openhands/(swe|commit0)"),
    "reason": re.compile(r"GPQA|gpqa|AIME|aime-2025|PolyMath|MATH500|hle"),
}
"""Benchmarks that say how much a departure counts in its column."""
DRAWS = 100
MEASURED, FEW, JAPANESE = 8, 3, 3
"""Independent scores of a measured model; scores that beat the prior; Japanese or agentic scores that measure that."""
THIN = 1.2
"""Errors of models that are not measured are wider than the fit claims, by as much as quality_checks.thin finds."""
GENERATION = re.compile(
    r"qwen[\d.]+|qwq|gemma-\d|llama-[\d.]+|deepseek-[vr][\d.]+|glm-[\d.]+|granite-[\d.]+|lfm[\d.]+|phi-[\d.]+|olmo-?\d?"
    r"|mistral-\w+|gpt-oss|kimi-k\d|minimax-m\d|llm-jp-\d|[a-z]+"
)


@dataclass(frozen=True, slots=True)
class Index:
    """value, error: (N, columns) [points]; ability: (N, 5); covariance: (N, 5, 5); mix: (columns, 5); offset: (columns,)."""

    value: Array
    error: Array
    ability: Array
    covariance: Array
    mix: Array
    offset: Array


def kappa(t: qm.Table, f: qm.Fit) -> Array:
    """Weight of a departure beside ability, over the reference benchmarks of its column."""
    out = []
    for k, domain in enumerate(qm.DOMAINS):
        js = [j for j, name in enumerate(t.items) if t.mask[j, 1 + k] and REFERENCE[domain].search(name)]
        out.append(f.loading[js, 1 + k].sum() / f.loading[js, 0].sum())
    return np.array(out)


def departures(weights: Array) -> Array:
    """(5, 5): ability and departures -> general, Japanese, algorithmic, reasoning, agentic."""
    out = np.eye(qm.D) * np.r_[1.0, weights]
    out[:, 0] = 1.0
    return out


def scale(t: qm.Table, f: qm.Fit) -> tuple[Array, Array]:
    """Weights (columns, 5) and offsets (columns,) of COLUMNS [points]: the anchors stand where ANCHORS says."""
    low, high = (t.models.index((name, mode)) for name, mode, _ in ANCHORS)
    h = departures(kappa(t, f))
    one, two = h @ f.z[low, : qm.D], h @ f.z[high, : qm.D]
    unit = (ANCHORS[1][2] - ANCHORS[0][2]) / (two - one)
    weights, offset = h * unit[:, None], ANCHORS[0][2] - one * unit
    return MEANS @ weights, MEANS @ offset


def index(t: qm.Table, f: qm.Fit, *, seed: int = 0, draws: int = DRAWS) -> Index:
    """Index with errors: the larger of the posterior's and of a bootstrap over benchmarks."""
    weights, offset = scale(t, f)
    z, v = f.z[:, : qm.D], f.v[:, : qm.D, : qm.D]
    posterior = np.sqrt(np.einsum("dk,nkl,dl->nd", weights, v, weights))
    error = np.maximum(posterior, bootstrap(t, f, seed, draws))
    return Index(z @ weights.T + offset, error, z, v, weights, offset)


def widened(index: Index, n: int, error: float) -> Array:
    """Covariance (5, 5) of a model whose overall error is `error`: what is more than the fit claims belongs to ability."""
    weights, out = index.mix[0], index.covariance[n].copy()
    out[0, 0] += max(0.0, error**2 - weights @ out @ weights) / weights[0] ** 2
    return out


def bootstrap(t: qm.Table, f: qm.Fit, seed: int, draws: int) -> Array:
    """Spread (N, columns) of the index when the benchmarks are drawn anew, with both anchors held."""
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(t.items), len(t.items)), minlength=len(t.items))
        again = qm.fit(t, rounds=14, weight=times[t.j].astype(float), tau=float(f.tau[0]), begin=f)
        weights, offset = scale(t, again)
        seen.append(again.z[:, : qm.D] @ weights.T + offset)
    spread: Array = np.std(seen, axis=0)
    return spread


def generation(name: str) -> str:
    """Models that share most of their making: "qwen3", "llama-3.1"."""
    match = GENERATION.match(short_name(name).removeprefix("meta-").removeprefix("nvidia-"))
    return match[0].rstrip(".") if match else short_name(name)[:6]


@dataclass(frozen=True, slots=True)
class Blind:
    """Errors of the prior for generations it has never seen. [points] rmse, corrected, q90: for each of COLUMNS.

    corrected: less what the measurement itself errs; unit: points of general ability per standard deviation.
    """

    n: int
    rmse: Array
    corrected: Array
    q90: Array
    unit: float

    @property
    def tau(self) -> float:
        """Variance of the prior of ability [squared standard deviations of ability]."""
        return float((self.corrected[1] / self.unit) ** 2)


def blind(t: qm.Table) -> Blind:
    """Leave every generation out in turn: what size, date and family say of models with 12 scores or more."""
    f = qm.fit(t, tau=1.0)
    h, offset = scale(t, f)
    seen = f.z[:, : qm.D] @ h.T + offset
    errors = np.sqrt(np.einsum("dk,nkl,dl->nd", h, f.v[:, : qm.D, : qm.D], h))
    counts, group = t.counts(), np.array([generation(n) for n, _ in t.models])
    train, test = np.flatnonzero((counts >= 3) & t.open), np.flatnonzero((counts >= 12) & t.open)
    misses: list[Array] = []
    for g in sorted(set(group[test])):
        left, out = train[group[train] != g], test[group[test] == g]
        misses += list(seen[out] - np.column_stack([_foretold(t, seen, errors, left, out, d) for d in range(len(h))]))
    miss = np.array(misses)
    square, own = (miss**2).mean(0), (errors[test] ** 2).mean(0)
    least = (0.14 * h[1, 0]) ** 2
    return Blind(
        n=len(test),
        rmse=np.sqrt(square),
        corrected=np.sqrt(np.maximum(least, square - own)),
        q90=np.quantile(np.abs(miss), 0.9, axis=0),
        unit=float(h[1, 0]),
    )


def _foretold(t: qm.Table, seen: Array, errors: Array, left: Array, out: Array, column: int) -> Array:
    """What the traits say of one column of the models `out`, learnt from `left` [points]."""
    weight = 1 / (errors[left, column] ** 2 + 0.1 * 18.0**2)
    middle = np.average(seen[left, column], weights=weight)
    b = qm.ridge(t.x[left], seen[left, column] - middle, weight / weight.mean(), qm.penalties())
    foretold: Array = middle + t.x[out] @ b
    return foretold


def basis(independent: int) -> str:
    """measured, few or vendor: how many scores that the maker did not report itself."""
    return "measured" if independent >= MEASURED else "few" if independent else "vendor"
