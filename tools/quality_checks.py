"""How right the quality index is: hidden scores, hidden benchmarks, pairs of one class, and judges that it never saw."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gyakusan.core.arrays import Array
from gyakusan.core.quality import Score, better, tied
from tools import quality_index as qi
from tools import quality_model as qm

Figures = dict[str, Any]

TAU = 0.16
"""Variance of the prior while checking: about what `blind` gives; the exact value moves no figure by more than its last digit."""
CLASS_SIZE, CLASS_DATE = 1.5, 0.75
"""One class: sizes (all and active) within this factor, released within this time. [years]"""
OUTSIDE = {
    "LMArena text": ("lmarena/text-sc/full", "off on"),
    "LMArena Japanese": ("lmarena/text-sc/japanese", "off on"),
    "LMArena coding": ("lmarena/text-sc/coding", "off on"),
}


def everything(t: qm.Table, outside: list[dict[str, str]] | None) -> Figures:
    """Every check, as figures."""
    f = qm.fit(t, tau=TAU)
    out: Figures = {"hidden scores": cells(t)}
    out["hidden Swallow, Japanese tasks"] = hidden(t, lambda s: s.startswith("swallow"), lambda s: "/ja_post" in s)
    out["hidden Swallow, all tasks"] = hidden(t, lambda s: s.startswith("swallow"), lambda s: "_post" in s)
    out["hidden maker's scores, GPQA"] = hidden(t, lambda s: s.startswith("vendor"), lambda s: s == "vendor/gpqa")
    out["two halves of the scores"] = halves(t, f)
    out["thin data"] = {f"{k} {name}": thin(t, f, vendor, k) for name, vendor, k in THIN}
    out["blind prior"] = {k: _round(v) for k, v in zip(("rmse", "corrected", "q90"), _blind(t), strict=True)}
    out["maker minus Swallow"] = {k: inflation(t, *v) for k, v in SAME.items()}
    if outside:
        out |= {name: judged(t, f, outside, key[0]) for name, key in OUTSIDE.items()}
    return out


THIN = (
    ("maker's", True, 1),
    ("maker's", True, 3),
    ("maker's", True, 5),
    ("of Swallow", False, 4),
    ("of Swallow", False, 8),
)
SAME = {
    "MMLU-Pro": ("vendor/mmlu-pro", "swallow2/en_post/MMLU-Pro"),
    "GPQA": ("vendor/gpqa", "swallow2/en_post/GPQA"),
}


def _blind(t: qm.Table) -> tuple[Array, Array, Array]:
    b = qi.blind(t)
    return b.rmse, b.corrected, b.q90


def percent(y: Array) -> Array:
    """Logit -> percentage points."""
    return 100 / (1 + np.exp(-y))


def cells(t: qm.Table, repeats: int = 3, seed: int = 7) -> Figures:
    """A fifth of all scores hidden, three times."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(repeats):
        hide = rng.random(len(t.y)) < 0.2
        f = qm.fit(t, weight=np.where(hide, 0.0, 1.0), tau=TAU)
        seen = ~hide
        ok = hide & (t.counts(seen)[t.i] > 0) & (np.bincount(t.j[seen], minlength=len(t.items))[t.j] > 2)
        rows = np.flatnonzero(ok)
        middle, spread = qm.predict(t, f, rows)
        usual = np.array([t.y[seen & (t.j == j)].mean() for j in range(len(t.items))])
        parts.append(np.c_[t.y[rows], middle, spread, usual[t.j[rows]], additive(t, seen)[rows], rows])
    r = np.concatenate(parts)
    at = r[:, 5].astype(int)
    named = np.array([t.items[j].startswith("swallow") for j in t.j])[at]
    return {
        "all": _summary(r),
        "open models": _summary(r[t.open[t.i[at]]]),
        "makers' scores": _summary(r[t.vendor[at]]),
        "Swallow": _summary(r[named]),
    }


def additive(t: qm.Table, seen: Array) -> Array:
    """The rule to beat: every model is better or worse than usual by as much everywhere (n,)."""
    middle = np.array([t.y[seen & (t.j == j)].mean() for j in range(len(t.items))])
    spread = np.array([t.y[seen & (t.j == j)].std() + 0.05 for j in range(len(t.items))])
    z = (t.y - middle[t.j]) / spread[t.j]
    own = np.bincount(t.i[seen], z[seen], len(t.models)) / (t.counts(seen) + 1)
    return middle[t.j] + spread[t.j] * own[t.i]


def _summary(r: Array) -> Figures:
    y, middle, spread, usual, plus = r[:, 0], r[:, 1], r[:, 2], r[:, 3], r[:, 4]
    away = np.abs(y - middle) / spread
    points = [round(_rms(percent(y) - percent(p)), 2) for p in (middle, plus, usual)]
    return {
        "n": len(y),
        "points": points[0],
        "points, additive": points[1],
        "points, usual": points[2],
        "covers80": round(float(np.mean(away < 1.2816)), 3),
        "covers95": round(float(np.mean(away < 1.96)), 3),
    }


def hidden(t: qm.Table, source: Callable[[str], bool], target: Callable[[str], bool], parts: int = 4) -> Figures:
    """One source hidden for a quarter of the open models at a time; its scores predicted from the others."""
    inside = np.array([source(s) for s in t.items])[t.j]
    goal = np.array([target(s) for s in t.items])[t.j]
    models = [n for n in np.flatnonzero(t.open) if (inside & (t.i == n)).any() and (~inside & (t.i == n)).any()]
    part = np.random.default_rng(3).integers(0, parts, len(models))
    rows: list[tuple[int, float, float, float, float]] = []
    covered: list[bool] = []
    for k in range(parts):
        out = [n for n, p in zip(models, part, strict=True) if p == k]
        f = qm.fit(t, weight=np.where(inside & np.isin(t.i, out), 0.0, 1.0), tau=TAU)
        for n in out:
            at = np.flatnonzero(goal & (t.i == n))
            if len(at):
                middle, spread = qm.predict(t, f, at)
                covered += list(np.abs(t.y[at] - middle) < 1.2816 * spread)
                rows.append((n, t.y[at].mean(), middle.mean(), f.expected[n, 0], f.v[n, 0, 0] ** 0.5))
    n, truth, predicted, prior, error = (np.array(c) for c in zip(*rows, strict=True))
    slope = np.median([f.loading[j, 0] for j in np.flatnonzero([target(s) for s in t.items])])
    scores = [Score(m / slope, e) for m, e in zip(predicted, error, strict=True)]
    return {
        "n": len(n),
        "spearman": round(spearman(predicted, truth), 3),
        "spearman, prior": round(spearman(prior, truth), 3),
        "covers80": round(float(np.mean(covered)), 3),
        "pairs": pairs(t, n.astype(int), truth, scores, prior),
    }


def halves(t: qm.Table, f: qm.Fit, parts: int = 4, seed: int = 5) -> Figures:
    """Every well-tested model measured twice, with either half of its scores: do the errors say how far the two are apart?"""
    rng = np.random.default_rng(seed)
    part, half = rng.integers(0, parts, len(t.models)), rng.random(len(t.y)) < 0.5
    h = qi.departures(qi.kappa(t, f))
    away: list[Array] = []
    for k in range(parts):
        mine = part[t.i] == k
        a, b = (qm.fit(t, tau=TAU, weight=np.where(mine & s, 0.0, 1.0), begin=f, rounds=25) for s in (half, ~half))
        for n in np.flatnonzero((part == k) & t.open & (t.counts() >= 20)):
            spread = np.sqrt(np.einsum("dk,kl,dl->d", h, a.v[n, : qm.D, : qm.D] + b.v[n, : qm.D, : qm.D], h))
            away.append(np.abs(h @ (a.z[n, : qm.D] - b.z[n, : qm.D])) / spread)
    z = np.array(away)
    return {"n": len(z), "covers80": _round((z < 1.2816).mean(0)), "covers95": _round((z < 1.96).mean(0))}


def thin(t: qm.Table, f: qm.Fit, vendor: bool, keep: int, parts: int = 5, seed: int = 4) -> Figures:
    """Models that Swallow tested, known by `keep` scores only: how far from the whole fit, and how far they claim to be.

    [standard deviations of ability], general, Japanese, algorithmic, reasoning, agentic.
    """
    rng, h = np.random.default_rng(seed), qi.departures(qi.kappa(t, f))
    swallow = np.array([r["source"] == "swallow" for r in t.rows])
    kind = t.vendor if vendor else swallow
    models = [n for n in np.flatnonzero(t.open) if (swallow & (t.i == n)).any() and (kind & (t.i == n)).sum() >= keep]
    part, miss, claimed = rng.integers(0, parts, len(t.models)), [], []
    for k in range(parts):
        out = [n for n in models if part[n] == k]
        weight = np.where(np.isin(t.i, out), 0.0, 1.0)
        for n in out:
            weight[rng.choice(np.flatnonzero(kind & (t.i == n)), keep, replace=False)] = 1.0
        again = qm.fit(t, weight=weight, tau=TAU, begin=f, rounds=30)
        miss += [h @ (again.z[n, : qm.D] - f.z[n, : qm.D]) for n in out]
        claimed += [np.einsum("dk,kl,dl->d", h, again.v[n, : qm.D, : qm.D], h) for n in out]
    off = np.array(miss)
    return {"n": len(off), "rms": _round(np.sqrt((off**2).mean(0))), "claimed": _round(np.sqrt(np.mean(claimed, 0)))}


def pairs(t: qm.Table, n: Array, truth: Array, scores: list[Score], prior: Array) -> Figures:
    """Which of two is better: pairs of one class, and what becomes of P(A better than B)."""
    near = [p for p in itertools.combinations(range(len(n)), 2) if same_class(t, n[p[0]], n[p[1]])]
    every = list(itertools.combinations(range(len(n)), 2))
    chance = [(better(scores[a], scores[b]), truth[a] > truth[b]) for a, b in every]
    sure = [right if p > 0.5 else not right for p, right in chance if abs(p - 0.5) >= 0.4]
    equal = [
        (better(scores[a], scores[b]) > 0.5) == (truth[a] > truth[b]) for a, b in every if tied(scores[a], scores[b])
    ]
    return {
        "one class": len(near),
        "right": _share((scores[a].value > scores[b].value) == (truth[a] > truth[b]) for a, b in near),
        "right, prior": _share((prior[a] > prior[b]) == (truth[a] > truth[b]) for a, b in near),
        "all": len(every),
        "said 90 %": len(sure),
        "said 90 %, right": _share(sure),
        "said tied": len(equal),
        "said tied, right": _share(equal),
    }


def same_class(t: qm.Table, a: int, b: int) -> bool:
    """Of one size, one time and one mode of reasoning: what a person would choose between."""
    x, y = t.traits[a], t.traits[b]
    if x.mode != y.mode or x.released is None or y.released is None:
        return False
    near = abs(x.released - y.released) <= CLASS_DATE
    sizes = ((x.parameters, y.parameters), (x.active, y.active))
    return near and all(p and q and max(p, q) / min(p, q) <= CLASS_SIZE for p, q in sizes)


def judged(t: qm.Table, f: qm.Fit, outside: Iterable[dict[str, str]], item: str) -> Figures:
    """Beside scores of people or benchmarks that no fit of ours has seen."""
    place = {m: n for n, m in enumerate(t.models)}
    judged = {(r["hf_id"], r["mode"]): float(r["y"]) for r in outside if r["item"] == item}
    n = np.array([place[m] for m in judged if m in place and t.open[place[m]]])
    truth = np.array([judged[t.models[k]] for k in n])
    scores = [Score(f.z[k, 0], f.v[k, 0, 0] ** 0.5) for k in n]
    return {
        "n": len(n),
        "spearman": round(spearman(f.z[n, 0], truth), 3),
        "spearman, prior": round(spearman(f.expected[n, 0], truth), 3),
        "pairs": pairs(t, n, truth, scores, f.expected[n, 0]),
    }


def inflation(t: qm.Table, own: str, other: str) -> Figures:
    """A maker's own score less Swallow's run of the same benchmark. [percentage points]"""
    by = {(r["hf_id"], r["mode"], r["item"]): float(r["value"]) for r in t.rows}
    both = [100 * (v - by[h, m, other]) for (h, m, s), v in by.items() if s == own and (h, m, other) in by]
    return {"n": len(both), "mean": round(float(np.mean(both)), 2), "sd": round(float(np.std(both, ddof=1)), 2)}


def spearman(x: Array, y: Array) -> float:
    """Rank correlation; equal values share their rank."""
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(x: Array) -> Array:
    order = np.argsort(x, kind="stable")
    ranks = np.empty(len(x))
    ranks[order] = np.arange(len(x))
    return np.array([ranks[x == v].mean() for v in x])


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def _round(values: Array) -> list[float]:
    return [round(float(v), 3) for v in values]


def _share(hits: Iterable[Any]) -> float | None:
    got = [bool(h) for h in hits]
    return round(sum(got) / len(got), 3) if got else None
