"""How right are MLX-LM's caches? Our bytes against what the real library counted of its own caches.

    python benchmarks/mlx_accuracy.py [--truth FILE.json.gz] [--json]

Rows are small random models whose caches were filled (tests/oracle/record_mlx.py). `prompt`, `answer`: bytes after each;
`peak`: the most that is held at a time, which ours bounds from above.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.memory_accuracy import TRUTH
from benchmarks.ollama_accuracy import summary
from gyakusan.core.model import Model
from gyakusan.engines.mlx import cache
from gyakusan.engines.mlx.settings import Settings
from gyakusan.models import families

PARTS = ("prompt", "answer", "peak")


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: its family, and the relative error of each part."""

    family: str
    error: Mapping[str, float]


def judge(row: Mapping[str, Any], model: Model) -> Judged:
    """Price one row and compare."""
    settings = Settings(
        row["tokens"], users=row["users"], kv_bits=row["bits"], quantized_kv_start=0, prefill_step_size=row["step"]
    )
    held = cache.groups(model, settings)
    ours = {part: int(row["users"] * sum(getattr(h, part) for h in held)) for part in PARTS}
    said = {part: sum(row[part].values()) for part in ("prompt", "answer")}
    said["peak"] = max(row["peak"], said["answer"])
    return Judged(row["family"], {p: abs(ours[p] - said[p]) / said[p] if said[p] else float(ours[p]) for p in PARTS})


def judge_all(truth: Path) -> tuple[list[Judged], Counter[str]]:
    """Every row, and those that the library itself refused, by reason."""
    recorded = json.loads(gzip.decompress(truth.read_bytes()))
    models = {f: families.unquantized(families.convert(c), name=f) for f, c in recorded["configs"].items()}
    judged, refused = [], Counter[str]()
    for row in recorded["rows"]:
        if "tokens" not in row or "refused" in row:
            refused["the library refused this row"] += 1
        else:
            judged.append(judge(row, models[row["family"]]))
    return judged, refused


def parts(judged: Iterable[Judged]) -> dict[str, Any]:
    """n, exact rows, median, 95th percentile and largest error of each part."""
    found = list(judged)
    return {p: summary([j.error[p] for j in found]) for p in PARTS}


def accuracy(truth: Path) -> dict[str, Any]:
    """The whole report."""
    judged, refused = judge_all(truth)
    by: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        by[j.family].append(j)
    return {
        "rows": len(judged),
        "unsupported": sum(refused.values()),
        "unsupported_reasons": dict(refused),
        **parts(judged),
        "by": {"architecture": {f: {"rows": len(js), **parts(js)} for f, js in sorted(by.items())}},
    }


def main() -> None:
    """Read the arguments, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, default=TRUTH / "mlx_cache.json.gz")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = accuracy(asked.truth)
    if asked.json:
        print(json.dumps(report, indent=1))
        return
    print(f"{report['rows']} rows, {report['unsupported']} unsupported {report['unsupported_reasons'] or ''}")
    for p in PARTS:
        e = report[p]
        print(f"{p:8} {e['exact']:5} exact, median {e['median']:8.3%}, p95 {e['p95']:8.3%}, max {e['max']:8.3%}")


if __name__ == "__main__":
    main()
