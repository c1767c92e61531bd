"""Which settings of the quality index predict hidden scores best: the table by which they were chosen.

    python -m tools.quality_trials [--rows ../shared/data/quality_2026.csv]     writes benchmarks/quality_trials.json

Every setting sees the same four fifths of all scores, three times, and is judged by the scores that all settings could predict.
Neither pairs of models nor an outside index are read here. --rows: what makers say of rivals' models, for the trials with it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from tools.quality_checks import percent
from tools.quality_scores import DATA, Row, read

from gyakusan.core.arrays import Array
from tools import quality_2026
from tools import quality_model as qm

OUT = Path(__file__).resolve().parent.parent / "benchmarks" / "quality_trials.json"
FOLDS = (1, 2, 3)
TAU = 0.16
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to fit.

    name: what differs from the shipped way
    settings: of the model
    rivals: weight of what makers say of rivals' models; 0 leaves it out
    merged: True if all efforts of a model are one mode
    """

    name: str
    settings: qm.Settings = field(default_factory=qm.Settings)
    rivals: float = 0.0
    merged: bool = False


def trials(rivals: bool) -> list[Trial]:
    """Return every way that is tried: the shipped one, the one that it was found from, and what differs from that one."""
    start = replace(qm.CHOSEN, tools=False)
    ways = [Trial("shipped"), Trial("use of tools is general, not agentic: start of those below", start)]
    ways += [Trial("agentic items are coding items", replace(start, agent=0.0))]
    ways += [Trial(f"agentic loading begins at {x}", replace(start, agent=x)) for x in (0.2, 0.35, 0.7, 1.0)]
    ways += [Trial("agentic loadings free (sd 0.3)", replace(start, agent_sd=0.3))]
    ways += [Trial(f"modes share {x} of their residual", replace(start, sibling=x)) for x in (0.0, 0.3, 0.7, 0.9)]
    ways += [Trial("no habit of OpenHands and shisa.ai", replace(start, houses=("vendor", "evalplus", "aider")))]
    ways += [Trial("makers' agentic figures as they are", replace(start, discount=0.0))]
    ways += [Trial("efforts of a model merged", start, merged=True)]
    return ways + ([Trial(f"rivals' figures at weight {w}", start, rivals=w) for w in (0.35, 1.0)] if rivals else [])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path)
    options = parser.parse_args()
    rows, sizes = read(DATA / "scores.csv.gz"), qm.read_sizes(DATA / "sizes.csv")
    more = rivals_of(read(options.rows), rows) if options.rows else []
    ways = trials(bool(more))
    found = [misses(way, rows, more, sizes) for way in ways]
    common = set.intersection(*(set(f) for f in found))
    table = [
        {"setting": way.name, **figures({k: f[k] for k in common}), "hidden modes": modes(way, rows, sizes)}
        for way, f in zip(ways, found, strict=True)
    ]
    OUT.write_text(json.dumps({"scores": len(common), "folds": len(FOLDS), "trials": table}, indent=1) + "\n", "utf-8")
    for line in table:
        print(line)


def key(row: Row) -> Key:
    """What tells one score from all others."""
    return tuple(row[k] for k in ("hf_id", "mode", "effort", "item"))


def table_of(way: Trial, rows: Sequence[Row], more: Sequence[Row], sizes: list[Row]) -> qm.Table:
    """Return the scores as a way sees them; `original` is the key of each score before efforts are merged."""
    known = [{**r, "original": "|".join(key(r))} for r in rows]
    known += [{**r, "original": "", "weight": str(way.rivals)} for r in more if way.rivals]
    return qm.table([{**r, "effort": "" if way.merged else r["effort"]} for r in known], sizes, way.settings)


def misses(
    way: Trial, rows: Sequence[Row], more: Sequence[Row], sizes: list[Row]
) -> dict[Key, tuple[float, float, str]]:
    """Miss in points and in standard errors of each score that is hidden in a fold, and what it measures."""
    t, out = table_of(way, rows, more, sizes), {}
    original = [r["original"] for r in t.rows]
    for fold in FOLDS:
        hide = np.array([bool(o) and crc32(f"{fold}|{o}".encode()) % 5 == 0 for o in original])
        f = qm.fit(t, weight=np.where(hide, 0.0, 1.0), tau=TAU)
        seen = ~hide
        ok = hide & (t.counts(seen)[t.i] > 0) & (np.bincount(t.j[seen], minlength=len(t.items))[t.j] > 2)
        at = np.flatnonzero(ok)
        middle, spread = qm.predict(t, f, at)
        for n, m, s in zip(at, middle, spread, strict=True):
            points = float(percent(t.y[n]) - percent(m))
            kind = t.rows[n]["domain"] + (" vendor" if t.vendor[n] else "")
            out[str(fold), original[n]] = (points, float(abs(t.y[n] - m) / s), kind)
    return out


def figures(found: Mapping[Key, tuple[float, float, str]]) -> dict[str, Any]:
    """Root mean square of the misses in points: of all, of makers' figures, of agentic and of Japanese items; coverage."""

    def rms(word: str) -> float:
        return round(float(np.sqrt(np.mean([p * p for p, _, kind in found.values() if word in kind]))), 2)

    away = np.array([a for _, a, _ in found.values()])
    return {
        **{
            name: rms(word)
            for name, word in (("all", ""), ("makers'", "vendor"), ("agentic", "agent"), ("Japanese", "ja"))
        },
        "covers80": round(float(np.mean(away < 1.2816)), 3),
    }


def modes(way: Trial, rows: Sequence[Row], sizes: list[Row], parts: int = 4) -> float | None:
    """Miss in points where all scores of a model's less tested modes are hidden: root mean square. None if they are merged."""
    if way.merged:
        return None
    t = qm.table(list(rows), sizes, way.settings)
    child = np.flatnonzero((t.parent != np.arange(len(t.parent))) & t.open)
    part = np.random.default_rng(3).integers(0, parts, len(child))
    points: list[Array] = []
    for k in range(parts):
        hide = np.isin(t.i, child[part == k])
        f = qm.fit(t, weight=np.where(hide, 0.0, 1.0), tau=TAU)
        at = np.flatnonzero(hide)
        points.append(percent(t.y[at]) - percent(qm.predict(t, f, at)[0]))
    return round(float(np.sqrt(np.mean(np.concatenate(points) ** 2))), 2)


def rivals_of(fresh: Sequence[Row], ours: Sequence[Row]) -> list[Row]:
    """Return what makers say of rivals' models, where neither the maker nor anybody else tells that score."""
    known = {key(r) for r in ours}
    rows = quality_2026.shipped([{**r, "vendor": "1"} for r in fresh if r["vendor"] == "competitor"])
    return [r for r in rows if key(r) not in known]


if __name__ == "__main__":
    main()
