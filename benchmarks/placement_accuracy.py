"""How right are layers, weights, context and scratch on several GPUs and with partial offload? Against llama.cpp's own allocator.

    python benchmarks/placement_accuracy.py [--truth FILE.jsonl.gz] [--meta gguf_meta.json.gz] [--json]

Rows are recorded dry runs of llama.cpp on stand-in CUDA devices, and scratch is counted as those count it (a load plans less
on later GPUs: ggml_simulation/model_graph.py, is_pinned). Scratch errors are relative, one for each device of a row:
|ours - recorded| / recorded. `exact` roles have a closed form, the others carry a range.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.memory_accuracy import FLASH, TRUTH, Unsupported, model_of, read_meta, rows
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import GyakusanError
from gyakusan.units import GIB

EQUAL = 1024 * GIB


@dataclass(frozen=True, slots=True)
class Judged:
    """One row. scratch: for each device (role, recorded, ours, least, greatest) [B]."""

    row: Mapping[str, Any]
    map_exact: bool
    weights_exact: bool
    context_exact: bool
    scratch: tuple[tuple[str, int, int, int, int], ...]


def settings_of(row: Mapping[str, Any]) -> Settings:
    """The settings under which a row was recorded. Raises Unsupported for what llama.cpp refused."""
    if "error" in row or row.get("split_mode") == "row":
        raise Unsupported("the server refused this row")
    return Settings(
        context=row["n_ctx"],
        slots=row.get("n_seq", 1),
        unified=bool(row.get("kv_unified", False)),
        batch=row.get("n_batch", 2048),
        ubatch=row.get("n_ubatch", 512),
        flash_attention=FLASH[row.get("fa", -1)],  # type: ignore[arg-type]
        key_type=row.get("k", "f16").upper(),
        value_type=row.get("v", "f16").upper(),
        backend="cuda",
        mmap=False,
        gpu_layers=row.get("ngl", -1),
        split_mode=row.get("split_mode", "layer"),
        tensor_split=tuple(row.get("tensor_split") or ()),
        main_gpu=row.get("main_gpu", 0),
        n_cpu_moe=row.get("n_cpu_moe", 0),
        n_cpu_ffn=row.get("n_cpu_ffn", 0),
        overrides=tuple((pattern, device) for pattern, device in row.get("overrides") or ()),
        offload_kv=row.get("offload_kqv", True),
        op_offload=row.get("op_offload", True),
    )


def free_of(row: Mapping[str, Any]) -> tuple[int, ...]:
    """Free memory of the cards; equal cards where the row names none. [B]"""
    memory = row.get("mem")
    return tuple(int(x * GIB) for x in memory) if memory else (EQUAL,) * row["n_gpu"]


def layers_of(row: Mapping[str, Any]) -> dict[int, int]:
    """Device of each recorded unit, HOST for the CPU."""
    found = {}
    for name, text in row["layers"].items():
        device = HOST if name == "cpu" else int(name[3:])
        for part in text.split(","):
            first, _, last = part.partition("-")
            found.update(dict.fromkeys(range(int(first), int(last or first) + 1), device))
    return found


def device(row: Mapping[str, Any], number: int) -> Mapping[str, int]:
    """Recorded bytes of one device."""
    empty = {"model": 0, "context": 0, "compute": 0}
    found: Mapping[str, int] = row["dev"].get("host" if number == HOST else f"gpu{number}", empty)
    return found


def judge(row: Mapping[str, Any], model: Model) -> Judged:
    """Price one row and compare."""
    settings, free = settings_of(row), free_of(row)
    placement = place(model.blocks, settings, free)
    held, kept = (
        bytes_per_device.weights(model, settings, placement),
        bytes_per_device.context(model, settings, placement),
    )
    made = compute_buffers.compute_buffers(model, settings, placement, dry_run=True)
    every = range(HOST, placement.cards)
    said = [(d, device(row, d)) for d in every]
    return Judged(
        row,
        all(placement.units[i] == d for i, d in layers_of(row).items()),
        all(held.on(d) == r["model"] for d, r in said),
        all(kept.on(d) == r["context"] for d, r in said),
        tuple(
            (m.role, r["compute"], int(m.bytes), int(m.least), int(m.greatest)) for d, r in said for m in (made.on(d),)
        ),
    )


def relative(said: int, ours: int) -> float:
    """Relative error; of nothing, 0 or 1."""
    return abs(ours - said) / said if said else float(ours != said)


def summary(judged: Iterable[Judged]) -> dict[str, Any]:
    """The contract of the report."""
    found = list(judged)
    errors = sorted(relative(said, ours) for j in found for _, said, ours, _, _ in j.scratch)
    holds = [all(low <= said <= high for _, said, _, low, high in j.scratch) for j in found]
    return {
        "rows": len(found),
        "map_exact": sum(j.map_exact for j in found),
        "weights_exact": sum(j.weights_exact for j in found),
        "context_exact": sum(j.context_exact for j in found),
        "scratch": {
            "median": statistics.median(errors) if errors else None,
            "p95": errors[min(len(errors) - 1, int(0.95 * len(errors)))] if errors else None,
            "range_holds_share": sum(holds) / len(holds) if holds else None,
        },
    }


def by_role(judged: Iterable[Judged]) -> dict[str, Any]:
    """Scratch by role: devices, error, how many ranges hold, how wide they are."""
    roles: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    for j in judged:
        for role, *figures in j.scratch:
            roles[role].append(tuple(figures))  # type: ignore[arg-type]
    out = {}
    for role, found in sorted(roles.items()):
        errors = sorted(relative(said, ours) for said, ours, _, _ in found)
        out[role] = {
            "devices": len(found),
            "exact": sum(said == ours for said, ours, _, _ in found),
            "median": statistics.median(errors),
            "p95": errors[min(len(errors) - 1, int(0.95 * len(errors)))],
            "max": errors[-1],
            "range_holds_share": sum(low <= said <= high for said, _, low, high in found) / len(found),
            "range_width_median": statistics.median(
                (high - low) / ours if ours else 0.0 for _, ours, low, high in found
            ),
        }
    return out


def judge_all(truth: Path, meta_path: Path) -> tuple[list[Judged], Counter[str]]:
    """Every row of a file, and the rows that we refuse, by reason."""
    meta = read_meta(meta_path)
    models: dict[tuple[str, str], Model] = {}
    judged: list[Judged] = []
    refused: Counter[str] = Counter()
    for row in rows(truth):
        key = (row["model"], row["quant"])
        try:
            if key not in models:
                models[key] = replace(model_of(meta, *key))
            judged.append(judge(row, models[key]))
        except (Unsupported, GyakusanError) as why:
            refused[str(why)] += 1
    return judged, refused


def accuracy(truth: Path, meta_path: Path) -> dict[str, Any]:
    """The whole report."""
    judged, refused = judge_all(truth, meta_path)
    return {
        **summary(judged),
        "unsupported": sum(refused.values()),
        "unsupported_reasons": dict(refused),
        "by_role": by_role(judged),
    }


def text(report: Mapping[str, Any]) -> str:
    """The report for people."""
    made = report["scratch"]
    lines = [
        f"{report['rows']} rows, {report['unsupported']} unsupported {report['unsupported_reasons'] or ''}",
        f"map {report['map_exact']} exact, weights {report['weights_exact']}, context {report['context_exact']}",
        f"scratch: median {made['median']:.4%}, p95 {made['p95']:.4%}, range holds {made['range_holds_share']:.2%}",
    ]
    for role, r in report["by_role"].items():
        lines.append(
            f"{role:32} {r['devices']:5} devices, {r['exact']:5} exact, median {r['median']:8.4%}, p95 {r['p95']:8.3%}, "
            f"max {r['max']:8.3%}, range holds {r['range_holds_share']:7.2%}, width {r['range_width_median']:6.1%}"
        )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, default=TRUTH / "llamacpp_split.jsonl.gz")
    parser.add_argument("--meta", type=Path, default=TRUTH / "gguf_meta.json.gz")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = accuracy(asked.truth, asked.meta)
    print(json.dumps(report, indent=1) if asked.json else text(report))


if __name__ == "__main__":
    main()
