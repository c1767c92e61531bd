"""From a fit to the index: four columns, a fixed scale, an error for each figure, and the prior of models without scores."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gyakusan.catalog.quality_names import short_name
from gyakusan.core.arrays import Array
from tools import quality_model as qm

COLUMNS = ("overall", "japanese", "coding", "reasoning")
ANCHORS = (("meta-llama/Llama-3.1-8B-Instruct", "off", 35.0), ("openai/gpt-oss-120b", "on", 70.0))
"""Two models whose figures never change, in every column: much tested, of known weights."""
REFERENCE = {
    "ja": re.compile(r"^swallow2/ja_"),
    "code": re.compile(r"LCB|lcb|livecodebench|JHumanEval|swe-verified|aider/poly"),
    "reason": re.compile(r"GPQA|gpqa|AIME|aime-2025|PolyMath|MATH500|hle"),
}
"""Benchmarks that say how much a departure counts in its column."""
DRAWS = 100
MEASURED, FEW_VENDOR, JAPANESE = 8, 3, 3
"""Independent scores of a measured model; vendor scores that beat the prior; Japanese scores that measure Japanese."""
THIN = 1.2
"""Errors of models that are not measured are wider than the fit claims, by as much as quality_checks.thin finds."""
GENERATION = re.compile(
    r"qwen[\d.]+|qwq|gemma-\d|llama-[\d.]+|deepseek-[vr][\d.]+|glm-[\d.]+|granite-[\d.]+|lfm[\d.]+|phi-[\d.]+|olmo-?\d?"
    r"|mistral-\w+|gpt-oss|kimi-k\d|minimax-m\d|llm-jp-\d|[a-z]+"
)


@dataclass(frozen=True, slots=True)
class Index:
    """value, error: (N, 4) on the scale; ability: (N, 4); covariance: (N, 4, 4); unit, base: (4,); kappa: (3,)."""

    value: Array
    error: Array
    ability: Array
    covariance: Array
    unit: Array
    base: Array
    kappa: Array
    posterior: Array
    drawn: Array


def kappa(t: qm.Table, f: qm.Fit) -> Array:
    """Weight of a departure beside ability, over the reference benchmarks of its column."""
    out = []
    for k, domain in enumerate(qm.DOMAINS):
        js = [j for j, name in enumerate(t.items) if t.mask[j, 1 + k] and REFERENCE[domain].search(name)]
        out.append(f.loading[js, 1 + k].sum() / f.loading[js, 0].sum())
    return np.array(out)


def mix(weights: Array) -> Array:
    """(4, 4): ability and departures -> columns."""
    out = np.zeros((4, 4))
    out[:, 0] = 1.0
    out[[1, 2, 3], [1, 2, 3]] = weights
    return out


def scaled(t: qm.Table, columns: Array) -> tuple[Array, Array, Array]:
    """Columns (N, 4) on the scale, its unit and base (4,): the anchors stand where ANCHORS says."""
    low, high = (t.models.index((name, mode)) for name, mode, _ in ANCHORS)
    unit = (ANCHORS[1][2] - ANCHORS[0][2]) / (columns[high] - columns[low])
    return ANCHORS[0][2] + (columns - columns[low]) * unit, unit, columns[low]


def index(t: qm.Table, f: qm.Fit, *, seed: int = 0, draws: int = DRAWS) -> Index:
    """Index with errors: the larger of the posterior's and of a bootstrap over benchmarks."""
    weights = kappa(t, f)
    h = mix(weights)
    z, v = f.z[:, :4], f.v[:, :4, :4]
    value, unit, base = scaled(t, z @ h.T)
    posterior = np.sqrt(np.einsum("dk,nkl,dl->nd", h, v, h)) * np.abs(unit)
    drawn = bootstrap(t, f, seed, draws)
    error = np.maximum(posterior, drawn)
    wider = (error[:, 0] / posterior[:, 0]) ** 2
    return Index(value, error, z, v * wider[:, None, None], unit, base, weights, posterior, drawn)


def bootstrap(t: qm.Table, f: qm.Fit, seed: int, draws: int) -> Array:
    """Spread (N, 4) of the index when the benchmarks are drawn anew, with both anchors held."""
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(t.items), len(t.items)), minlength=len(t.items))
        again = qm.fit(t, rounds=14, weight=times[t.j].astype(float), tau=float(f.tau[0]), begin=f)
        seen.append(scaled(t, again.z[:, :4] @ mix(kappa(t, again)).T)[0])
    spread: Array = np.std(seen, axis=0)
    return spread


def generation(name: str) -> str:
    """Models that share most of their making: "qwen3", "llama-3.1"."""
    match = GENERATION.match(short_name(name).removeprefix("meta-").removeprefix("nvidia-"))
    return match[0].rstrip(".") if match else short_name(name)[:6]


@dataclass(frozen=True, slots=True)
class Blind:
    """Errors of the prior for generations it has never seen. [standard deviations of ability] rmse, corrected, q90: (4,).

    corrected: less what the measurement itself errs.
    """

    n: int
    rmse: Array
    corrected: Array
    q90: Array


def blind(t: qm.Table) -> Blind:
    """Leave every generation out in turn: what size, date and family say of models with 12 scores or more."""
    f = qm.fit(t, tau=1.0)
    h = mix(kappa(t, f))
    seen = f.z[:, :4] @ h.T
    errors = np.sqrt(np.einsum("dk,nkl,dl->nd", h, f.v[:, :4, :4], h))
    counts, group = t.counts(), np.array([generation(n) for n, _ in t.models])
    train, test = np.flatnonzero((counts >= 3) & t.open), np.flatnonzero((counts >= 12) & t.open)
    misses, noise = [], []
    for g in sorted(set(group[test])):
        left, out = train[group[train] != g], test[group[test] == g]
        for d in range(4):
            w = 1 / (errors[left, d] ** 2 + 0.1)
            b = qm.ridge(t.x[left], seen[left, d], w / w.mean(), qm.penalties())
            misses += [(d, m) for m in seen[out, d] - t.x[out] @ b]
            noise += [(d, e**2) for e in errors[out, d]]
    columns = [np.array([m for k, m in misses if k == d]) for d in range(4)]
    square = np.array([np.mean(c**2) for c in columns])
    own = np.array([np.mean([e for k, e in noise if k == d]) for d in range(4)])
    corrected = np.sqrt(np.maximum(0.02, square - own))
    return Blind(len(test), np.sqrt(square), corrected, np.array([np.quantile(np.abs(c), 0.9) for c in columns]))


def basis(independent: int) -> str:
    """measured, few or vendor: how many scores that the maker did not report itself."""
    return "measured" if independent >= MEASURED else "few" if independent else "vendor"
