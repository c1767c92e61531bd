"""Rebuilds the quality index: data/quality/index.json and covariance.json, and the penalty of quantisation.

    python -m tools.fit_quality                              fit, write both
    python -m tools.fit_quality --check [--outside obs.csv.gz]  validation: hidden scores, hidden benchmarks, outside judges
    python -m tools.fit_quality --penalty quant_loss.json    fit quant_penalty.json (needs scipy)

Seeds are fixed: the same scores give the same index. --outside: scores without a licence (LMArena, LiveBench, Nejumi),
only ever compared with, never fitted to and never shipped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tools.quality_scores import DATA, read

from gyakusan.catalog.quality_names import EFFORTS
from gyakusan.core.arrays import Array
from gyakusan.core.quality import BOTTOM, TOP
from tools import quality_checks, quality_index
from tools import quality_model as qm

CHECKED = "2026-11-28"
SOURCES = {
    "swallow": ["Swallow LLM Leaderboard v2", "https://swallow-llm.github.io/leaderboard/", "CC BY 4.0"],
    "llmstats": ["LLM Stats", "https://github.com/JonathanChavezTamales/llm-leaderboard", "CC BY 4.0"],
    "evalplus": ["EvalPlus", "https://evalplus.github.io/leaderboard.html", "Apache-2.0"],
    "aider": ["Aider LLM leaderboards", "https://aider.chat/docs/leaderboards/", "Apache-2.0"],
    "card": [
        "makers' figures of their own models, in their model cards",
        "https://huggingface.co",
        "Apache-2.0, MIT, facts",
    ],
    "models.dev": ["models.dev", "https://models.dev", "MIT"],
    "openhands": ["OpenHands Index", "https://github.com/OpenHands/openhands-index-results", "MIT"],
    "shaberi": ["shaberi judgements of shisa.ai", "https://github.com/shisa-ai/shaberi", "Apache-2.0"],
    "jmedqa": ["JMedQA", "https://github.com/yamagishi0824/jmedqa-eval", "MIT"],
    "tau2": ["tau2-bench leaderboard", "https://github.com/sierra-research/tau2-bench", "MIT"],
    "bfcl": [
        "Berkeley Function Calling Leaderboard v4",
        "https://gorilla.cs.berkeley.edu/leaderboard.html",
        "Apache-2.0",
    ],
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path, default=DATA / "scores.csv.gz")
    parser.add_argument("--sizes", type=Path, default=DATA / "sizes.csv")
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--draws", type=int, default=quality_index.DRAWS)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--outside", type=Path)
    parser.add_argument("--penalty", type=Path)
    options = parser.parse_args()
    if options.penalty:
        from tools import quality_penalty  # needs scipy, which nothing else does

        print(quality_penalty.write(options.penalty, options.out / "quant_penalty.json"))
        return
    t = qm.table(read(options.scores), qm.read_sizes(options.sizes))
    if options.check:
        print(json.dumps(quality_checks.everything(t, options.outside and read(options.outside)), indent=1))
        return
    document = build(t, options.draws)
    covariances = {
        name: {m: row.pop("covariance") for m, row in modes.items()} for name, modes in document["models"].items()
    }
    (options.out / "index.json").write_text(text(document), "utf-8")
    (options.out / "covariance.json").write_text(text(covariances, every=True), "utf-8")
    print(f"{len(document['models'])} models from {len(t.y)} scores on {len(t.items)} benchmarks")


def build(t: qm.Table, draws: int) -> dict[str, Any]:
    """Everything that index.json says."""
    blind = quality_index.blind(t)
    f = qm.fit(t, rounds=80, tau=blind.tau)
    index = quality_index.index(t, f, draws=draws)
    return {
        "about": "Quality of models, from scores that may be shipped. Made by tools/fit_quality.py: do not edit.",
        "checked": CHECKED,
        "sources": SOURCES,
        "scale": {
            "anchors": quality_index.ANCHORS,
            "bottom": BOTTOM,
            "top": TOP,
            "mix": [_round(row, 4) for row in index.mix],
            "offset": _round(index.offset, 3),
        },
        "prior": {
            "models": blind.n,
            "error": _round(blind.rmse, 2),
            "variance": _round([(blind.rmse[1] / blind.unit) ** 2, *[1.0] * (qm.D - 1)], 4),
            "sibling": t.settings.sibling,
            "coefficients": [_round(row[: qm.D], 4) for row in f.prior],
        },
        "items": {name: _item(t, f, j) for j, name in enumerate(t.items)},
        "models": _models(t, index, blind.rmse),
    }


def _round(values: Iterable[float], digits: int) -> list[float]:
    return [round(float(v), digits) for v in values]


def _item(t: qm.Table, f: qm.Fit, j: int) -> dict[str, Any]:
    """What one benchmark says of ability: line, spread, house."""
    house = [h for k, h in enumerate(qm.HOUSES) if t.mask[j, qm.D + k]]
    loading = f.loading[j]
    return {
        "level": round(float(f.a[j]), 4),
        "loading": _round(loading[: qm.D], 4),
        "house": round(float(loading[qm.D + qm.HOUSES.index(house[0])]), 4) if house else 0.0,
        "variance": round(qm.NOISE * float(f.s2[j]), 4),
        "models": len(set(t.i[t.j == j])),
    }


def _models(t: qm.Table, index: quality_index.Index, floor: Array) -> dict[str, Any]:
    """Every open model in the modes that people can ask for."""
    out: dict[str, dict[str, Any]] = {}
    for n in sorted(np.flatnonzero(t.open), key=lambda k: t.models[k]):
        name, mode = t.models[n]
        if mode in ("on", "off", *EFFORTS):
            out.setdefault(name, {})[mode] = _model(t, index, n, floor)
    return out


def _model(t: qm.Table, index: quality_index.Index, n: int, floor: Array) -> dict[str, Any]:
    """One model in one mode of reasoning."""
    rows = [r for r, i in zip(t.rows, t.i, strict=True) if i == n]
    independent = sum(r["vendor"] == "0" for r in rows)
    measured = [t.domains[j].split("+") for j in t.j[t.i == n]]
    japanese, agentic = (sum(d in domains for domains in measured) for d in ("ja", "agent"))
    error = _error(index.error[n], floor, len(rows), independent, japanese)
    wide = quality_index.widened(index, n, float(error[0]))
    kind = "base" if t.traits[n].base else "special" if t.traits[n].special else ""
    return {
        "error": _round(error, 1),
        "basis": quality_index.basis(independent),
        "japanese_basis": "measured" if japanese >= quality_index.JAPANESE else "inferred",
        "agentic_basis": "measured" if agentic >= quality_index.JAPANESE else "inferred",
        "scores": len(rows),
        "independent": independent,
        "sources": _sources(rows),
        "kind": kind,
        "ability": _round(index.ability[n], 3),
        "covariance": _round(wide[np.tril_indices(qm.D)], 4),
    }


def _error(error: Array, floor: Array, scores: int, independent: int, japanese: int) -> Array:
    """Widen what the fit claims to what comparison found: few scores, only a maker's, no Japanese ones."""
    error = error * (1.0 if independent >= quality_index.MEASURED else quality_index.THIN)
    if scores < quality_index.FEW:
        error = np.maximum(error, floor)
    if not independent:
        error = np.maximum(error, quality_index.LEAST_VENDOR)
    if japanese < quality_index.JAPANESE:
        place = quality_index.COLUMNS.index("japanese")
        error[place] = max(error[place], quality_index.LEAST_VENDOR[place])
    return error


def _sources(rows: list[dict[str, str]]) -> list[str]:
    """ "swallow 2026-06 (30)": source, month of the newest score, scores."""
    by: dict[str, list[str]] = {}
    for r in rows:
        by.setdefault(r["source"], []).append(r["date"])
    return [f"{s} {max(d)[:7]} ({len(d)})" for s, d in sorted(by.items())]


def text(document: Mapping[str, Any], every: bool = False) -> str:
    """JSON with one line for each item and each model, so that a change can be read. every: one line for each key."""
    parts = []
    for key, value in document.items():
        if not every and key in ("items", "models", "sources"):
            rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            parts.append(f' "{key}": {{\n{rows}\n }}')
        else:
            parts.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
