"""Rebuilds the quality index from licence-clear scores: data/quality/index.json, and the penalty of quantisation.

    python -m tools.fit_quality                              fit, write index.json
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

from tools import quality_checks, quality_index
from tools import quality_model as qm

CHECKED = "2026-11-23"
SOURCES = {
    "swallow": ["Swallow LLM Leaderboard v2", "https://swallow-llm.github.io/leaderboard/", "CC BY 4.0"],
    "llmstats": ["LLM Stats", "https://github.com/JonathanChavezTamales/llm-leaderboard", "CC BY 4.0"],
    "evalplus": ["EvalPlus", "https://evalplus.github.io/leaderboard.html", "Apache-2.0"],
    "aider": ["Aider LLM leaderboards", "https://aider.chat/docs/leaderboards/", "Apache-2.0"],
    "card": ["model cards of Apache-2.0 and MIT repositories", "https://huggingface.co", "Apache-2.0, MIT"],
    "models.dev": ["models.dev", "https://models.dev", "MIT"],
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
    (options.out / "index.json").write_text(text(document), "utf-8")
    print(f"{len(document['models'])} models from {len(t.y)} scores on {len(t.items)} benchmarks")


def build(t: qm.Table, draws: int) -> dict[str, Any]:
    """Everything that index.json says."""
    blind = quality_index.blind(t)
    f = qm.fit(t, rounds=80, tau=float(blind.corrected[0] ** 2))
    index = quality_index.index(t, f, draws=draws)
    floor = blind.rmse * np.abs(index.unit)
    return {
        "about": "Quality of models, from licence-clear scores. Made by tools/fit_quality.py: do not edit.",
        "checked": CHECKED,
        "sources": SOURCES,
        "scale": {"anchors": quality_index.ANCHORS, **_lists(index, ("unit", "base", "kappa"))},
        "prior": {
            "models": blind.n,
            "error": _round(floor, 2),
            "variance": _round([blind.rmse[0] ** 2, 1.0, 1.0, 1.0], 4),
            "coefficients": [_round(row[:4], 4) for row in f.prior],
        },
        "items": {name: _item(t, f, j) for j, name in enumerate(t.items)},
        "models": _models(t, index, floor),
    }


def _lists(index: quality_index.Index, names: Iterable[str]) -> dict[str, Any]:
    return {n: _round(getattr(index, n), 5) for n in names}


def _round(values: Iterable[float], digits: int) -> list[float]:
    return [round(float(v), digits) for v in values]


def _item(t: qm.Table, f: qm.Fit, j: int) -> dict[str, Any]:
    """What one benchmark says of ability: line, spread, house."""
    house = [h for k, h in enumerate(qm.HOUSES) if t.mask[j, 4 + k]]
    loading = f.loading[j]
    return {
        "level": round(float(f.a[j]), 4),
        "loading": _round(loading[:4], 4),
        "house": round(float(loading[4 + qm.HOUSES.index(house[0])]), 4) if house else 0.0,
        "variance": round(qm.NOISE * float(f.s2[j]), 4),
        "models": len(set(t.i[t.j == j])),
    }


def _models(t: qm.Table, index: quality_index.Index, floor: Any) -> dict[str, Any]:
    out: dict[str, dict[str, Any]] = {}
    for n in sorted(np.flatnonzero(t.open), key=lambda k: t.models[k]):
        name, mode = t.models[n]
        out.setdefault(name, {})[mode] = _model(t, index, n, floor)
    return out


def _model(t: qm.Table, index: quality_index.Index, n: int, floor: Any) -> dict[str, Any]:
    """One model with reasoning on or off."""
    rows = [r for r, i in zip(t.rows, t.i, strict=True) if i == n]
    independent = sum(r["vendor"] == "0" for r in rows)
    japanese = sum("ja" in r["domain"].split("+") for r in rows)
    thin = not independent and len(rows) < quality_index.FEW_VENDOR
    error = index.error[n] * (1.0 if independent >= quality_index.MEASURED else quality_index.THIN)
    error = np.maximum(error, floor) if thin else error
    wide = index.covariance[n] * (error[0] / index.error[n][0]) ** 2
    kind = "base" if t.traits[n].base else "special" if t.traits[n].special else ""
    return {
        "value": _round(index.value[n], 1),
        "error": _round(error, 1),
        "basis": quality_index.basis(independent),
        "japanese_basis": "measured" if japanese >= quality_index.JAPANESE else "inferred",
        "scores": len(rows),
        "independent": independent,
        "sources": _sources(rows),
        "kind": kind,
        "ability": _round(index.ability[n], 3),
        "covariance": _round(wide[np.tril_indices(4)], 4),
    }


def _sources(rows: list[dict[str, str]]) -> list[str]:
    """ "swallow 2026-06 (30)": source, month of the newest score, scores."""
    by: dict[str, list[str]] = {}
    for r in rows:
        by.setdefault(r["source"], []).append(r["date"])
    return [f"{s} {max(d)[:7]} ({len(d)})" for s, d in sorted(by.items())]


def text(document: Mapping[str, Any]) -> str:
    """JSON with one line for each item and each model, so that a change can be read."""
    parts = []
    for key, value in document.items():
        if key in ("items", "models", "sources"):
            rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            parts.append(f' "{key}": {{\n{rows}\n }}')
        else:
            parts.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
