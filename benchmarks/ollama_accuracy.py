"""How right are the sizes of Ollama's tags? Weights from the catalogue's configs alone against the sizes that are listed.

    python benchmarks/ollama_accuracy.py [--truth FILE.json] [--json]

A size is printed with two or three digits: `exact` means within half of the last one. Errors are relative, beyond it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.memory_accuracy import TRUTH
from gyakusan.catalog import tags
from gyakusan.errors import GyakusanError
from gyakusan.models.tags import from_tag

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """One tag. listed, ours [B]; error: relative, beyond the rounding of the list."""

    tag: str
    architecture: str
    listed: float
    ours: int
    error: float


def size(text: str) -> tuple[float, float]:
    """A size as listed ("4.7 GB"), and half of its last digit. [B]"""
    number, unit = text.replace("GB", " GB").replace("MB", " MB").split()
    scale = {"GB": 1e9, "MB": 1e6}[unit]
    return float(number) * scale, 0.5 * 10 ** -len(number.partition(".")[2]) * scale


def judge(name: str, text: str) -> Judged:
    """Price one tag and compare. Raises GyakusanError for a tag that is not in the catalogue."""
    found = tags.find(name)
    if found is None:
        raise GyakusanError("Nothing is known of {name}.", name=name)
    model = from_tag(found)
    ours = model.stored.bytes if model.stored else model.bytes
    listed, half = size(text)
    return Judged(name, model.architecture, listed, ours, max(0.0, abs(ours - listed) - half) / listed)


def summary(errors: Sequence[float]) -> dict[str, Any]:
    """n, exact ones, median, 95th percentile and largest error; None without any."""
    found = sorted(errors)
    if not found:
        return {"n": 0, "exact": 0, "median": None, "p95": None, "max": None}
    p95 = found[min(len(found) - 1, int(0.95 * len(found)))]
    exact = sum(e == 0 for e in found)
    return {"n": len(found), "exact": exact, "median": statistics.median(found), "p95": p95, "max": found[-1]}


def judge_all(truth: Path) -> tuple[list[Judged], Counter[str]]:
    """Every tag, and those that are not known, by reason."""
    judged, refused = [], Counter[str]()
    for name, text in json.loads(truth.read_text("utf-8"))["sizes"].items():
        try:
            judged.append(judge(name, text))
        except GyakusanError:
            refused[f"{name}: no family builds it"] += 1
    return judged, refused


def accuracy(truth: Path) -> dict[str, Any]:
    """The whole report."""
    judged, refused = judge_all(truth)
    by: dict[str, list[float]] = defaultdict(list)
    for j in judged:
        by[j.architecture].append(j.error)
    worst = sorted((j for j in judged if j.error), key=lambda j: -j.error)
    return {
        "rows": len(judged),
        "unsupported": sum(refused.values()),
        "unsupported_reasons": dict(refused),
        "weights": summary([j.error for j in judged]),
        "by": {"architecture": {a: {"rows": len(es), "weights": summary(es)} for a, es in sorted(by.items())}},
        "worst": [{"tag": j.tag, "listed": round(j.listed), "ours": j.ours, "error": j.error} for j in worst[:SHOWN]],
    }


def main() -> None:
    """Read the arguments, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, default=TRUTH / "ollama_sizes.json")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = accuracy(asked.truth)
    if asked.json:
        print(json.dumps(report, indent=1))
        return
    e = report["weights"]
    print(f"{report['rows']} tags, {e['exact']} as listed, p95 {e['p95']:.2%}, max {e['max']:.2%}")
    print(f"not known: {', '.join(report['unsupported_reasons'])}")
    for w in report["worst"]:
        print(f"  {w['error']:8.2%} {w['tag']}: listed {w['listed']:,}, ours {w['ours']:,}")


if __name__ == "__main__":
    main()
