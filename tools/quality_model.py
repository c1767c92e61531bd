"""The model behind the quality index: one ability and four departures per model and reasoning mode, one line per benchmark.

    y = a + b * ability + sum c_d * departure_d + g * house + bias + noise

y: logit of the score; ability and departures (Japanese, code, reasoning, agents) belong to a model in one mode of reasoning;
a, b, c, g and the spread of the noise (Student t, 5 degrees) belong to a benchmark; house: one nuisance factor per model and
source, so that many scores of one source do not count as many opinions; bias: of a maker on scores that it reports itself.
Swallow runs every model itself under one protocol: it is the reference and has no house factor.
Ability has a prior from size, date and family (gyakusan.catalog.quality_prior). Fitted by EM with reweighted squares.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gyakusan.catalog.quality_names import Mode, Traits, mode_of, traits
from gyakusan.catalog.quality_prior import BASE, FAMILIES, columns
from gyakusan.core.arrays import Array

Row = dict[str, str]

DOMAINS = ("ja", "code", "reason", "agent")
HOUSES = ("vendor", "evalplus", "aider", "openhands", "shaberi")
D = 1 + len(DOMAINS)
K = D + len(HOUSES)
LOWEST = np.array([0.08] + [0.02] * (K - 1))
VENDOR_SD = 0.15
DISCOUNT = 0.04
"""What makers' own agentic figures have too much beside an independent harness. [fraction]
Source: 13 comparisons of SWE-bench Verified with OpenHands, +4.4 points, sd 2.9; 20 with all independents, +3.9."""
DISCOUNT_SD = 0.03
DEGREES = 5.0
NOISE = 1.1
"""Variance of one score beside what the fit says, whose noise has thin tails: so that intervals of hidden scores cover 80 %
(found with other seeds than those that the checks use; see quality_checks.cells)."""
FEWEST = 4
"""Models that a benchmark needs to be used."""
ENOUGH = 8
"""Scores of an open model that counts for the scale: ability has mean 0 and spread 1 over these."""
TOOLS = re.compile(r"tau2|tau3|mcp-atlas|toolathlon|browsecomp|claw-eval|coworkbench|jobbench|bfcl")
LOW, HIGH = 0.015, 0.99
"""Scores are clipped to these before the logit."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was chosen by hidden scores: see tools/quality_trials.py.

    agent: loading of the agentic departure where EM begins; 0 = agentic items are coding items
    agent_sd: how far a benchmark's loading may leave it
    tools: True if the use of tools (tau2, MCP-Atlas, BrowseComp) is agentic, too
    sibling: what a mode with few scores takes from the mode of the same model with most: correlation of their residuals
    houses: sources that have a habit of their own
    discount: taken off makers' own agentic figures [fraction]
    """

    agent: float = 0.5
    agent_sd: float = 0.15
    tools: bool = True
    sibling: float = 0.5
    houses: tuple[str, ...] = HOUSES
    discount: float = DISCOUNT


CHOSEN = Settings()
"""Settings of the index that is shipped."""


@dataclass(frozen=True, slots=True)
class Table:
    """Scores as arrays. N models x modes, J items, n scores.

    i, j: (n,); y: logits (n,); weight (n,); vendor (n,) bool; mask: which loadings an item has (J, K); x: traits (N, p);
    closed: no size is known (N,) bool; maker: (N,); parent: the mode of the same model with most scores, itself if none (N,);
    extra: variance of a score beside its item's [squared logit] (n,).
    """

    rows: list[Row]
    models: list[tuple[str, str]]
    items: list[str]
    domains: list[str]
    i: Array
    j: Array
    y: Array
    weight: Array
    vendor: Array
    mask: Array
    x: Array
    closed: Array
    maker: Array
    traits: list[Traits]
    parent: Array
    extra: Array
    settings: Settings

    @property
    def open(self) -> Array:
        """Models of our catalogue's world: with a repository, of a known size (N,) bool."""
        return np.array([not h.startswith("ext/") for h, _ in self.models]) & ~self.closed

    def counts(self, chosen: Array | None = None) -> Array:
        """Scores of each model (N,)."""
        return np.bincount(self.i if chosen is None else self.i[chosen], minlength=len(self.models))


@dataclass(frozen=True, slots=True)
class Fit:
    """a, s2: (J,); loading: (J, K); bias: per maker; prior: (p, K); tau: prior variances (K,); z: (N, K); v: (N, K, K)."""

    a: Array
    loading: Array
    s2: Array
    bias: Array
    prior: Array
    tau: Array
    z: Array
    v: Array
    expected: Array


def table(rows: list[Row], sizes: list[Row], settings: Settings = CHOSEN) -> Table:
    """Table of the items that at least FEWEST models share."""
    rows = [{**r, "mode": mode(r)} for r in rows]
    shared: dict[str, set[str]] = {}
    for r in rows:
        shared.setdefault(r["item"], set()).add(r["hf_id"])
    rows = [r for r in rows if len(shared[r["item"]]) >= FEWEST]
    models = list(dict.fromkeys((r["hf_id"], r["mode"]) for r in rows))
    items = sorted({r["item"] for r in rows})
    domain = {r["item"]: _domain(r, settings) for r in rows}
    where_model, where_item = {m: k for k, m in enumerate(models)}, {t: k for k, t in enumerate(items)}
    known = _traits(models, sizes)
    own = np.array([r["vendor"] == "1" and "agent" in r["domain"] for r in rows])
    p = np.clip(np.array([float(r["value"]) for r in rows]) - settings.discount * own, LOW, HIGH)
    makers = sorted({maker(h) for h, _ in models})
    return Table(
        rows=rows,
        models=models,
        items=items,
        domains=[domain[t] for t in items],
        i=np.array([where_model[r["hf_id"], r["mode"]] for r in rows]),
        j=np.array([where_item[r["item"]] for r in rows]),
        y=np.log(p / (1 - p)),
        weight=np.array([float(r["weight"]) for r in rows]),
        vendor=np.array([r["vendor"] == "1" for r in rows]),
        mask=np.array([_mask(t, domain[t], settings) for t in items]),
        x=np.array([columns(t) if t.parameters else [0.0] * (len(BASE) + len(FAMILIES)) for t in known]),
        closed=np.array([not t.parameters for t in known]),
        maker=np.array([makers.index(maker(h)) for h, _ in models]),
        traits=known,
        parent=_parents(models, rows),
        extra=own * (DISCOUNT_SD / (p * (1 - p))) ** 2,
        settings=settings,
    )


def mode(row: Row) -> str:
    """Return the mode of a score; an effort that has none keeps its own name, and its model is not shipped in it."""
    return mode_of(row["hf_id"], row["mode"], row["effort"]) or row["effort"]


def _domain(row: Row, settings: Settings) -> str:
    if not settings.agent and row["domain"] == "agent":
        return "code"
    return "agent" if settings.tools and TOOLS.search(row["item"]) else row["domain"]


def _parents(models: list[tuple[str, str]], rows: list[Row]) -> Array:
    """The mode of the same model with most scores, for each model and mode (N,)."""
    counts = Counter((r["hf_id"], r["mode"]) for r in rows)
    best: dict[str, tuple[str, str]] = {}
    for m in models:
        if m[0] not in best or counts[m] > counts[best[m[0]]]:
            best[m[0]] = m
    place = {m: n for n, m in enumerate(models)}
    return np.array([place[best[h]] for h, _ in models])


def maker(name: str) -> str:
    """Who made a model: the owner of the repository, or the first word of another name."""
    return name.split("/")[0] if not name.startswith("ext/") else name[4:].split("-")[0]


def read_sizes(path: Path) -> list[Row]:
    """Rows of sizes.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _traits(models: list[tuple[str, str]], sizes: list[Row]) -> list[Traits]:
    known = {r["hf_id"]: r for r in sizes}
    return [_trait(h, m, known.get(h, {})) for h, m in models]


def _trait(name: str, mode: str, row: Row) -> Traits:
    whole, active = (float(row[k]) if row.get(k) else None for k in ("parameters", "active"))
    known: Mode = "off" if mode == "off" else "low" if mode == "low" else "high" if mode in ("high", "max") else "on"
    return traits(name, known, parameters=whole, active=active, released=row.get("released") or None)


def _mask(item: str, domain: str, settings: Settings) -> list[bool]:
    tags = domain.split("+")
    return [True, *(d in tags for d in DOMAINS), *(h in settings.houses and item.startswith(h) for h in HOUSES)]


def loadings(settings: Settings) -> tuple[Array, Array]:
    """Loadings before any score, and how far they may be from it (K,)."""
    middle, spread = np.full(K, 0.2), np.full(K, 0.12)
    middle[0], spread[0] = 0.85, 0.5
    spread[1:D] = 0.15
    agent = 1 + DOMAINS.index("agent")
    middle[agent], spread[agent] = settings.agent, settings.agent_sd
    return middle, spread


def start(t: Table) -> Fit:
    """Where EM begins."""
    n, items, width = len(t.models), len(t.items), t.x.shape[1]
    zero = np.zeros((n, K))
    return Fit(
        a=np.array([t.y[t.j == j].mean() for j in range(items)]),
        loading=np.where(t.mask, loadings(t.settings)[0], 0.0),
        s2=np.full(items, 0.2),
        bias=np.zeros(int(t.maker.max()) + 1),
        prior=np.zeros((width, K)),
        tau=np.ones(K),
        z=zero,
        v=np.tile(np.eye(K), (n, 1, 1)),
        expected=zero,
    )


def fit(
    t: Table, *, rounds: int = 60, weight: Array | None = None, tau: float | None = None, begin: Fit | None = None
) -> Fit:
    """EM. weight: multiplies the weight of each score (n,), 0 hides it; tau: variance of ability, None = estimate."""
    state = begin or start(t)
    w = t.weight if weight is None else t.weight * weight
    trust = np.ones(len(t.y))
    counts = t.counts(w > 0)
    for _ in range(rounds):
        state = _models(t, state, w * trust, counts)
        state, squares = _items(t, state, w * trust)
        heavy = np.bincount(t.j, w * trust * squares, len(t.items)) + 4 * 0.10
        s2 = np.clip(heavy / (np.bincount(t.j, w, len(t.items)) + 4), 0.01, 4.0)
        trust = (DEGREES + 1) / (DEGREES + squares / (s2[t.j] + t.extra))
        trust /= np.average(trust, weights=(w > 0))
        state = replace(state, s2=s2)
        state = replace(state, bias=_bias(t, state, w * trust))
        state = _prior(t, state, counts, tau)
    return state


def _models(t: Table, f: Fit, w: Array, counts: Array) -> Fit:
    """Posterior of every model, then the scale: ability has mean 0 and spread 1 over open models with ENOUGH scores."""
    n = len(t.models)
    precise = np.tile(1 / f.tau, (n, 1))
    precise[t.closed, 0] = 1.0
    expected = f.expected.copy()
    if t.settings.sibling:
        _inherit(t, f, expected, precise)
    loading = f.loading[t.j]
    q = w / (f.s2[t.j] + t.extra)
    rest = t.y - f.a[t.j] - np.where(t.vendor, f.bias[t.maker[t.i]], 0.0)
    precision = np.zeros((n, K, K))
    precision[:, range(K), range(K)] = precise
    np.add.at(precision, t.i, q[:, None, None] * loading[:, :, None] * loading[:, None, :])
    right = precise * expected
    np.add.at(right, t.i, (q * rest)[:, None] * loading)
    v = np.linalg.inv(precision)
    z = np.einsum("nij,nj->ni", v, right)
    chosen = (counts >= ENOUGH) & t.open
    middle, spread = z[chosen, 0].mean(), z[chosen, 0].std()
    z[:, 0] = (z[:, 0] - middle) / spread
    v[:, 0, :] /= spread
    v[:, :, 0] /= spread
    tau = f.tau.copy()
    tau[0] /= spread**2
    return replace(f, z=z, v=v, tau=tau)


def _inherit(t: Table, f: Fit, expected: Array, precise: Array) -> None:
    """Move what is expected of a mode with few scores by what the model's best tested mode shows, and be surer of it.

    One way only: the tested mode learns nothing from the others, so that no score counts twice.
    """
    child = np.flatnonzero((t.parent != np.arange(len(t.parent))) & ~t.closed)
    rho, p = t.settings.sibling, t.parent[child]
    expected[child, :D] += rho * (f.z[p, :D] - f.expected[p, :D])
    known = np.einsum("nkk->nk", f.v[p][:, :D, :D])
    precise[child, :D] = 1 / (f.tau[:D] * (1 - rho**2) + rho**2 * np.minimum(known, f.tau[:D]))


def _items(t: Table, f: Fit, w: Array) -> tuple[Fit, Array]:
    """Line of every item by ridge regression on the posterior; expected squared residuals (n,)."""
    a, loading, squares = f.a.copy(), f.loading.copy(), np.ones(len(t.y))
    y = t.y - np.where(t.vendor, f.bias[t.maker[t.i]], 0.0)
    before, apart = loadings(t.settings)
    for j in range(len(t.items)):
        g, ks = np.flatnonzero(t.j == j), np.flatnonzero(t.mask[j])
        z, v, ww, yy = f.z[t.i[g]][:, ks], f.v[t.i[g]][:, ks][:, :, ks], w[g], y[g]
        ridge = f.s2[j] / apart[ks] ** 2
        left = np.zeros((len(ks) + 1,) * 2)
        left[0, 0], left[0, 1:], left[1:, 0] = ww.sum() + 1e-6, ww @ z, ww @ z
        left[1:, 1:] = (z * ww[:, None]).T @ z + (ww[:, None, None] * v).sum(0) + np.diag(ridge)
        line = np.linalg.solve(left, np.r_[ww @ yy, (z * ww[:, None]).T @ yy + ridge * before[ks]])
        a[j], loading[j, ks] = line[0], np.maximum(line[1:], LOWEST[ks])
        squares[g] = (yy - a[j] - z @ loading[j, ks]) ** 2 + np.einsum("k,nkl,l->n", loading[j, ks], v, loading[j, ks])
    return replace(f, a=a, loading=loading), squares


def _bias(t: Table, f: Fit, w: Array) -> Array:
    """What each maker's own figures have too much, shrunk to 0."""
    own = t.vendor
    makers, q = t.maker[t.i[own]], (w / (f.s2[t.j] + t.extra))[own]
    rest = (t.y - f.a[t.j])[own] - (f.z[t.i[own]] * f.loading[t.j[own]]).sum(1)
    return np.bincount(makers, q * rest, len(f.bias)) / (np.bincount(makers, q, len(f.bias)) + 1 / VENDOR_SD**2)


def _prior(t: Table, f: Fit, counts: Array, tau: float | None) -> Fit:
    """Regression of ability and departures on traits; closed models share one mean and variance 1."""
    has, prior = (counts > 0) & ~t.closed, f.prior.copy()
    for k in range(D):
        weight = 1 / (f.v[has, k, k] + f.tau[k])
        prior[:, k] = ridge(t.x[has], f.z[has, k], weight / weight.mean(), penalties(8.0 if k else 0.0))
    expected = t.x @ prior
    lone = t.closed & (counts > 0)
    expected[t.closed, 0] = f.z[lone, 0].mean() if lone.any() else 0.0
    taus = f.tau.copy()
    seen = np.mean((f.z[has, 0] - expected[has, 0]) ** 2 + f.v[has, 0, 0])
    taus[0] = tau or float(np.clip(seen, 0.05, 1.5))
    return replace(f, prior=prior, tau=taus, expected=expected)


def penalties(more: float = 0.0) -> Array:
    """Ridge of each trait: next to none for the constant, little for size and date, more for families."""
    out = np.r_[np.full(len(BASE), 0.5), np.full(len(FAMILIES), 6.0)] + more
    out[0] = 0.01 + more
    return out


def ridge(x: Array, y: Array, weight: Array, penalty: Array) -> Array:
    """Weighted ridge regression. x: (n, p); y, weight: (n,); penalty: (p,)."""
    return np.linalg.solve((x * weight[:, None]).T @ x + np.diag(penalty), (x * weight[:, None]).T @ y)


def predict(t: Table, f: Fit, rows: Array) -> tuple[Array, Array]:
    """Expected logit and its standard deviation, noise included, of scores `rows`."""
    i, j = t.i[rows], t.j[rows]
    loading = f.loading[j]
    middle = f.a[j] + (loading * f.z[i]).sum(1) + np.where(t.vendor[rows], f.bias[t.maker[i]], 0.0)
    variance = np.einsum("nk,nkl,nl->n", loading, f.v[i], loading) + NOISE * (f.s2[j] + t.extra[rows])
    return middle, np.sqrt(variance)
