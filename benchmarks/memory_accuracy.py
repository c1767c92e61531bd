"""How right is the memory of llama.cpp? Our bytes against rows recorded from its own allocator.

    python benchmarks/memory_accuracy.py [--truth FILE.jsonl.gz] [--meta gguf_meta.json.gz] [--json]

Errors are relative: |ours - recorded| / recorded.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gyakusan.core.dtypes import BY_CODE
from gyakusan.core.model import Model, Recurrent, Tensor
from gyakusan.engines.llamacpp.buffers.kv_cache import groups
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import GyakusanError
from gyakusan.models.families import build
from gyakusan.models.families.metadata import Metadata

TRUTH = Path(__file__).parent.parent / "tests" / "truth"
PARTS = ("weights", "context", "compute", "total")
FLASH = {-1: "auto", 0: "off", 1: "on"}


class Unsupported(Exception):
    """A row that we cannot price; the text says why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: its labels, and the relative error of each part (bytes off kept for `exact`)."""

    labels: Mapping[str, str]
    off: Mapping[str, int]
    error: Mapping[str, float]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The recorded rows of a .jsonl or .jsonl.gz file."""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def read_meta(path: Path) -> dict[str, Any]:
    """The fixture of GGUF metadata and tensors."""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        found: dict[str, Any] = json.load(file)
        return found


def model_of(meta: Mapping[str, Any], name: str, quantization: str) -> Model:
    """The model of a row, from recorded metadata, shapes and types. Raises Unsupported."""
    if name not in meta or quantization not in meta[name]["types"]:
        raise Unsupported(f"no metadata of {name} {quantization}")
    entry = meta[name]
    pairs = zip(entry["tensors"], entry["types"][quantization], strict=True)
    tensors = tuple(Tensor(n, tuple(shape), BY_CODE[code].name) for (n, shape), code in pairs)
    try:
        return build(Metadata(entry["kv"], frozenset(t.name for t in tensors)), tensors, quantization=quantization)
    except GyakusanError as error:
        raise Unsupported(str(error)) from error


def settings_of(row: Mapping[str, Any]) -> Settings:
    """The settings under which a row was recorded. Raises Unsupported for what one device cannot show."""
    backend = {"cpu": "cpu", "gpu-mock": "cuda"}.get(row["backend"])
    if backend is None or row.get("n_gpu", 1) != 1 or row.get("offload_kqv") is False or "n_cpu_moe" in row:
        raise Unsupported("placement other than one device")
    return Settings(
        context=row["n_ctx"],
        slots=row.get("n_seq", 1),
        unified=bool(row.get("kv_unified", False)),
        batch=row.get("n_batch", 2048),
        ubatch=row.get("n_ubatch", 512),
        flash_attention=FLASH[row.get("fa", -1)],  # type: ignore[arg-type]
        key_type=row.get("k", "f16").upper(),
        value_type=row.get("v", "f16").upper(),
        swa_full=bool(row.get("swa_full", False)),
        outputs="server" if row.get("mode", "server") == "server" else "bench",
        backend=backend,  # type: ignore[arg-type]
        mmap=False,
    )


def kind_of(model: Model, settings: Settings) -> str:
    """Which of the issue's slices a row belongs to."""
    if any(isinstance(m, Recurrent) for m in model.memory):
        return "hybrid"
    if not settings.flash:
        return "no flash attention"
    return "f16" if settings.key_type == settings.value_type == "F16" else "quantised KV"


def judge(row: Mapping[str, Any], model: Model) -> Judged:
    """Price one row and compare."""
    settings = settings_of(row)
    held, made = weights(model, settings), compute_buffer(model, settings)
    ours = {
        "weights": held.gpu + held.host,
        "context": sum(g.bytes for g in groups(model, settings)),
        "compute": made.gpu + made.host,
    }
    ours["total"] = sum(ours.values())
    off = {p: int(ours[p] - row[p]) for p in PARTS}
    error = {p: abs(off[p]) / row[p] if row[p] else float(off[p] != 0) for p in PARTS}
    labels = {
        "backend": row["backend"],
        "mode": row.get("mode", "server"),
        "architecture": model.architecture,
        "kind": kind_of(model, settings),
    }
    return Judged(labels, off, error)


def summary(judged: Iterable[Judged]) -> dict[str, Any]:
    """rows, and for each part: exact rows, median, 95th percentile and largest relative error."""
    found = list(judged)
    out: dict[str, Any] = {"rows": len(found)}
    for part in PARTS:
        errors = sorted(j.error[part] for j in found)
        out[part] = {
            "exact": sum(j.off[part] == 0 for j in found),
            "median": statistics.median(errors) if errors else None,
            "p95": errors[min(len(errors) - 1, int(0.95 * len(errors)))] if errors else None,
            "max": errors[-1] if errors else None,
        }
    return out


def accuracy(truth: Path, meta_path: Path) -> dict[str, Any]:
    """The whole report. Rows that we cannot price are counted in `unsupported`, by reason."""
    meta = read_meta(meta_path)
    models: dict[tuple[str, str], Model | Unsupported] = {}
    judged: list[Judged] = []
    refused: Counter[str] = Counter()
    for row in rows(truth):
        key = (row["model"], row["quant"])
        try:
            if key not in models:
                models[key] = _model_or_refusal(meta, key)
            found = models[key]
            if isinstance(found, Unsupported):
                raise found
            if "error" in row:
                raise Unsupported("the server refused this row")
            judged.append(judge(row, found))
        except (Unsupported, GyakusanError) as why:
            refused[str(why)] += 1
    by: dict[str, dict[str, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for j in judged:
        for label, value in j.labels.items():
            by[label][value].append(j)
    return {
        **summary(judged),
        "unsupported": sum(refused.values()),
        "unsupported_reasons": dict(refused),
        "by": {label: {v: summary(js) for v, js in sorted(groups_.items())} for label, groups_ in by.items()},
    }


def _model_or_refusal(meta: Mapping[str, Any], key: tuple[str, str]) -> Model | Unsupported:
    try:
        return model_of(meta, *key)
    except Unsupported as why:
        return why


def text(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [f"{report['rows']} rows, {report['unsupported']} unsupported {report['unsupported_reasons'] or ''}"]
    lines.append(_row("", report))
    for label, groups_ in report["by"].items():
        lines += [_row(f"{label} {value}", entry) for value, entry in groups_.items()]
    return "\n".join(lines)


def _row(name: str, entry: Mapping[str, Any]) -> str:
    cells = [f"{name or 'all':34.34} {entry['rows']:5}"]
    for part in PARTS:
        e = entry[part]
        if e["median"] is not None:
            cells.append(f"{part} {e['exact']:5} exact, {e['p95']:8.3%} p95, {e['max']:8.3%} max")
    return " | ".join(cells)


def main() -> None:
    """Read the arguments, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, default=TRUTH / "llamacpp_b11434.jsonl.gz")
    parser.add_argument("--meta", type=Path, default=TRUTH / "gguf_meta.json.gz")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = accuracy(asked.truth, asked.meta)
    print(json.dumps(report, indent=1) if asked.json else text(report))


if __name__ == "__main__":
    main()
