"""The parts of the page of quality: what benchmarks/quality_pairs.py and tools/quality_trials.py found, from their JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
Translate = Callable[[str, str], str]
Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]

GROUPS = ("all", "open models", "makers' scores", "Swallow")
OUTSIDE_TEXTS = {
    "models": "outside index: models",
    "default effort": "outside index: default effort",
    "best effort": "outside index: best effort",
}
CELLS = ("shipped", "tied, other order")
"""Words of the JSON that pages translate."""
COLUMNS = ("overall", "general", "japanese", "coding", "reasoning", "agentic", "algorithmic")


def part(rest: str, language: str, translated: Translate, table: Table) -> str:
    """rest: "summary", "hidden", "prior", "trials" or "pairs"."""
    writers = {"summary": _summary, "hidden": _hidden, "prior": _prior, "trials": _trials, "pairs": _pairs}
    heads, rows = writers[rest]()
    return table([translated(h, language) for h in heads], ([translated(c, language) for c in row] for row in rows))


def _found(name: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads((BENCHMARKS / name).read_text("utf-8"))
    return document


def _summary() -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    now = _found("quality.json")
    before = now["before"]

    def rows() -> Iterator[Sequence[str]]:
        for name in ("pairs", "right or tied", "said apart", "reversed"):
            yield (name, str(before["pairs"][name]), str(now["pairs"][name]))
        for name, text in OUTSIDE_TEXTS.items():
            yield (text, str(before["outside"][name]), str(now["outside"][name]))

    return ("check", "before", "now"), rows()


def _hidden() -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    now = _found("quality.json")
    before = now["before"]["hidden"]["hidden"]

    def rows() -> Iterator[Sequence[str]]:
        for name in GROUPS:
            old, new = before[name], now["hidden"]["hidden"][name]
            miss = (f"{f['points']} ({f['points, additive']})" for f in (old, new))
            yield (name, str(new["n"]), *miss, f"{old['covers80']:.1%}", f"{new['covers80']:.1%}")

    return ("hidden scores", "scores", "error before", "error now", "80 % held before", "80 % held now"), rows()


def _prior() -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    now = _found("quality.json")
    old, new = now["before"]["hidden"]["prior"], now["hidden"]["prior"]

    def rows() -> Iterator[Sequence[str]]:
        for name in COLUMNS:
            yield (name, str(old["points"].get(name, "-")), str(new["points"][name]))
        for name in ("standard deviations", "logit of MMLU-Pro", "models"):
            yield (name, str(old[name]), str(new[name]))

    return ("error of what size, date and family tell", "before", "now"), rows()


def _trials() -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    heads = ("setting", "all", "makers'", "agentic", "Japanese", "covers80", "hidden modes")
    rows = ([str(t[h]) if t[h] is not None else "-" for h in heads] for t in _found("quality_trials.json")["trials"])
    return heads, rows


def _pairs() -> tuple[Sequence[str], Iterator[Sequence[str]]]:
    def rows() -> Iterator[Sequence[str]]:
        for r in _found("quality.json")["pairs"]["rows"]:
            first, second = (f"{value:.0f} ±{error:.0f}" for value, error in (r["first"], r["second"]))
            yield (r["better"], first, r["worse"], second, r["column"], r["answer"], r["reason"])

    return ("better", "points", "than", "points", "column", "answer", "reason"), rows()
