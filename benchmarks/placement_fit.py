"""Is our placement as good as llama.cpp's own --fit on the same cards?

    python benchmarks/placement_fit.py [--truth FILE.jsonl.gz] [--meta gguf_meta.json.gz] [--json]

Rows are what llama.cpp chose for stand-in cards that were empty. Compared are weights and caches on all GPUs together.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.memory_accuracy import TRUTH, model_of, read_meta, rows
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.multi_gpu import compute_buffers
from gyakusan.engines.llamacpp.multi_gpu.fit import MARGIN, fit
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.units import GIB


def settings_of(row: Mapping[str, Any]) -> Settings:
    """What was asked for, without a placement."""
    return Settings(
        context=row["n_ctx"],
        slots=row.get("n_seq", 1),
        unified=bool(row.get("kv_unified", False)),
        key_type=row.get("k", "f16").upper(),
        value_type=row.get("v", "f16").upper(),
        mmap=False,
    )


def judge(row: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Our bytes on the GPUs and theirs [B]; the least that stays free on a GPU [B]; units that stay in RAM."""
    free = [int(g * GIB) for g in row["mem"]]
    chosen = fit(model, settings_of(row), free)
    placement = place(model.blocks, chosen, free)
    held, kept = bytes_per_device.weights(model, chosen, placement), bytes_per_device.context(model, chosen, placement)
    made = compute_buffers.compute_buffers(model, chosen, placement)
    left = (f - h - k - m.greatest for f, h, k, m in zip(free, held.gpus, kept.gpus, made.gpus, strict=True))
    theirs = sum(d["model"] + d["context"] for name, d in row["dev"].items() if name != "host")
    in_ram = sum(_count(units) for name, units in row["layers"].items() if name == "cpu")
    return {
        "model": row["model"],
        "cards": row["mem"],
        "ours": int(sum(held.gpus) + sum(kept.gpus)),
        "theirs": theirs,
        "free": int(min(left)),
        "units_in_ram": placement.units.count(HOST),
        "their_units_in_ram": in_ram,
    }


def _count(units: str) -> int:
    """ "0-3,7" -> 5."""
    ends = (part.partition("-") for part in units.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)


def accuracy(truth: Path, meta_path: Path) -> dict[str, Any]:
    """rows; how many hold more, the same, less than llama.cpp's choice; how many keep the margin; the rows that hold less."""
    meta, models = read_meta(meta_path), {}
    found = []
    for row in rows(truth):
        if "dev" in row:
            key = (row["model"], row["quant"])
            models.setdefault(key, None)
            models[key] = models[key] or model_of(meta, *key)
            found.append(judge(row, models[key]))
    less = [f for f in found if f["ours"] < f["theirs"]]
    return {
        "rows": len(found),
        "more": sum(f["ours"] > f["theirs"] for f in found),
        "same": sum(f["ours"] == f["theirs"] for f in found),
        "less": len(less),
        "less_with_more_units_on_gpus": sum(f["units_in_ram"] < f["their_units_in_ram"] for f in less),
        "margin_kept": sum(f["free"] >= MARGIN for f in found),
        "rows_with_less": less,
    }


def main() -> None:
    """Read the arguments, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, default=TRUTH / "llamacpp_fit.jsonl.gz")
    parser.add_argument("--meta", type=Path, default=TRUTH / "gguf_meta.json.gz")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = accuracy(asked.truth, asked.meta)
    if asked.json:
        print(json.dumps(report, indent=1))
    else:
        print("\n".join(f"{name}: {value}" for name, value in report.items()))


if __name__ == "__main__":
    main()
