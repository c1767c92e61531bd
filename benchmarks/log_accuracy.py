"""How right is the memory of llama.cpp on real GPUs? Our bytes against load logs that people published.

    python benchmarks/log_accuracy.py [--logs FILE.json] [--json]

A log names its model, not its file: the model is found by its shape among the catalogue's, its types by what the log calls
the quantisation; weights of a file whose size shows another mix are compared all the same, with that reason. Errors are
relative, for each device and buffer, beyond the two decimals (MiB) that logs print. Builds older than ours have rules of
their own for compute buffers: log_eras.py. What those differ in was read off these same logs.
Logs of forks (ik_llama.cpp) are held to the KV cache alone, where they keep llama.cpp's rule: their quantisations, graphs
and placements are their own.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.log_eras import compute, era
from benchmarks.memory_accuracy import TRUTH, Unsupported
from gyakusan.core import recipe
from gyakusan.core.dtypes import CACHE_TYPES
from gyakusan.core.model import Latent, Model, Recurrent
from gyakusan.engines.llamacpp.buffers.weights import loaded
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, Placement, place
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import GyakusanError
from gyakusan.models import families
from gyakusan.models.assemble import plain
from gyakusan.models.families.metadata import Metadata
from gyakusan.units import GIB, MIB

Row = Mapping[str, Any]
PARTS = ("model", "kv", "state", "compute", "output")
KEYS = {
    "model": "model_buf_mib",
    "kv": "kv_buf_mib",
    "state": "rs_buf_mib",
    "compute": "compute_buf_mib",
    "output": "output_buf_mib",
}
PRINTED = 0.005 * MIB
"""Half of the last digit that a log prints. [B]"""
SHOWN = 12
MIX = "the publisher's own quantisation mix"
VULKAN = "Vulkan reorders the graph's nodes before it plans buffers"
"""ggml-vulkan.cpp, ggml_vk_graph_optimize, called by ggml_backend_sched_split_graph. That it happens is in the source; what it
does to these buffers was not simulated."""
REASONS = (MIX, VULKAN)


@dataclass(frozen=True, slots=True)
class Compared:
    """One buffer of one device. said, ours [B]; why: a known reason for a difference, "" = none."""

    log: int
    name: str
    part: str
    device: str
    said: float
    ours: float
    why: str = ""

    @property
    def error(self) -> float:
        """Relative, beyond the digits printed."""
        off = max(0.0, abs(self.ours - self.said) - PRINTED)
        return off / self.said if self.said else float(off > 0)


def model_of(row: Row) -> Model:
    """The model of a log, by its shape, at the quantisation it names. Raises Unsupported."""
    named = recipe.QUANTIZATIONS, row["ftype"].replace(" - ", "_").replace("Medium", "M").replace("Small", "S")
    if named[1] not in named[0]:
        raise Unsupported(f"quantisation {row['ftype']}")
    return _quantized(_shape(row), named[1])


def _shape(row: Row) -> tuple[str, int, int, int, str]:
    return row["arch"], int(row["n_layer"]), int(row["n_embd"]), int(row["n_vocab"]), str(row["n_head_kv"])


@cache
def _quantized(shape: tuple[str, int, int, int, str], quantization: str) -> Model:
    return recipe.apply(quantization, _unquantized(shape))


@cache
def _unquantized(shape: tuple[str, int, int, int, str]) -> Model:
    """The first model of the catalogue with these layers, widths and words. Raises Unsupported."""
    for model in _known(*shape[:3]):
        if (model.blocks, model.embedding, model.vocabulary) == shape[1:4]:
            return model
    raise Unsupported(f"no model known of this shape: {shape[0]}, {shape[1]} blocks of {shape[2]}")


@cache
def _known(architecture: str, blocks: int, embedding: int) -> tuple[Model, ...]:
    """Models that may have this shape: the catalogue's, and DeepSeek-V3 as V3.2 without its indexer."""
    from gyakusan.catalog.models import model_records

    wanted = {architecture, "deepseek32"} if architecture == "deepseek2" else {architecture}
    records = [r for r in model_records() if r.architecture in wanted and _value(r.metadata, "embedding") == embedding]
    same = [r for r in records if r.architecture == architecture and _value(r.metadata, "block_count") == blocks]
    found = [plain(r) for r in same]
    found += [_without_indexer(r.metadata) for r in records if r.architecture != architecture]
    if architecture == "llama":  # Llama 3 is Llama 3.1 without the factors of its rotary embedding
        found = [_without(m, "rope_freqs.weight") for m in found]
    return tuple(found)


def _value(metadata: Row, key: str) -> object:
    architecture = metadata["general.architecture"]
    return metadata.get(f"{architecture}.{'embedding_length' if key == 'embedding' else key}")


def _without(model: Model, name: str) -> Model:
    return replace(model, tensors=tuple(t for t in model.tensors if t.name != name))


def _without_indexer(metadata: Row) -> Model:
    """DeepSeek-V3 and R1: the same shape before sparse attention."""
    kept = {
        k.replace("deepseek32.", "deepseek2."): v
        for k, v in metadata.items()
        if "indexer" not in k and "nextn" not in k and k != "general.architecture"
    }
    blocks = int(kept["deepseek2.block_count"]) - int(metadata.get("deepseek32.nextn_predict_layers", 0))
    values = {**kept, "general.architecture": "deepseek2", "deepseek2.block_count": blocks, "gyakusan.tied": False}
    return families.unquantized(Metadata(values), name="deepseek-v3", source="catalog:deepseek-v3.2")


def settings_of(row: Row) -> Settings:
    """The settings that a log prints. Raises Unsupported."""
    key, value = (str(row[k] or row["type_v"]).upper() for k in ("type_k", "type_v"))
    if {key, value} - set(CACHE_TYPES):
        raise Unsupported(f"a fork's cache type ({key.lower()})")
    units = re.match(r"(\d+)/(\d+)", row["offloaded"] or "")
    if not units or units[1] != units[2]:
        raise Unsupported("not everything is on the GPUs, and the log does not say what is")
    return Settings(
        context=int(row["n_ctx"]),
        slots=int(row["n_seq_max"] or 1),
        batch=int(row["n_batch"]),
        ubatch=int(row["n_ubatch"]),
        flash_attention="off" if row["flash_attn"] in ("0", "disabled") else "on",
        key_type=key,
        value_type=value,
        backend="cuda",
        split_mode="layer" if row["n_gpu"] > 1 else "none",
    )


def date_of(row: Row) -> str:
    """The date of a log. [ISO 8601]"""
    found = re.search(r"\d{4}-\d\d-\d\d", row["source"])
    return found[0] if found else ""


def backend_of(row: Row) -> str:
    """CUDA, ROCm, Vulkan or MTL."""
    name = next((n for n in row["model_buf_mib"] if not n.startswith("CPU") and "_Host" not in n), "")
    return re.sub(r"[\d_].*", "", name)


def printed(row: Row, part: str) -> dict[int, float]:
    """Bytes of each device as printed: GPU numbers, HOST. [B]"""
    sums: dict[int, float] = defaultdict(float)
    for name, size in row[KEYS[part]].items():
        number = re.fullmatch(r"(?:CUDA|ROCm|Vulkan|MTL)(\d+)(?:_Mapped)?", name)
        sums[int(number[1]) if number else HOST] += size * MIB
    return sums


def compare(number: int, row: Row) -> Iterator[Compared]:
    """Every buffer of one log of llama.cpp. Raises Unsupported, GyakusanError."""
    model, settings = model_of(row), settings_of(row)
    backend, when = backend_of(row), era(date_of(row))
    placement = place(model.blocks, settings, (GIB,) * row["n_gpu"])
    ours = _ours(model, settings, placement)
    rotated = not (backend == "MTL" and settings.key_type != "F16")  # that fork builds on llama.cpp before rotations
    ours["compute"] = compute(model, settings, placement, when, backend=backend, rotated=rotated)
    if any("MTL" in n and "Mapped" in n for n in row["model_buf_mib"]):  # Metal maps the whole file, tables included
        ours["model"][0] += ours["model"][HOST]
    mixed = _mixed(row, model)
    for part in PARTS:
        for device, said in printed(row, part).items():
            name = "host" if device == HOST else f"gpu{device}"
            why = _why(part, mixed, backend, device)
            yield Compared(number, row["model"], part, name, said, ours[part].get(device, 0), why)


def _ours(model: Model, settings: Settings, placement: Placement) -> dict[str, dict[int, int]]:
    """Our bytes of each part and device, compute aside. [B]"""
    held, every = bytes_per_device.weights(model, settings, placement), (*placement.used, HOST)
    kept: dict[str, dict[int, int]] = {"kv": dict.fromkeys(every, 0), "state": dict.fromkeys(every, 0)}
    for group in bytes_per_device.groups(model, settings, placement):
        part = "state" if isinstance(group.memory, Recurrent) else "kv"
        for device in every:
            kept[part][device] += int(group.on(device))
    logits = int(settings.slots) * model.vocabulary * 4
    return {"model": {d: int(held.on(d)) for d in every}, **kept, "output": {HOST: logits}}


def _mixed(row: Row, model: Model) -> bool:
    """True if the file's size shows other types than the quantiser would choose."""
    size = re.match(r"([\d.]+) (GiB|MiB)", row["model_size"])
    if not size:
        return False
    said = float(size[1]) * (GIB if size[2] == "GiB" else MIB)
    return abs(sum(t.bytes for t in loaded(model)) / said - 1) > 0.003


def _why(part: str, mixed: bool, backend: str, device: int) -> str:
    if part == "model" and mixed:
        return MIX
    return VULKAN if part == "compute" and device != HOST and backend == "Vulkan" else ""


def compare_fork(number: int, row: Row) -> Iterator[Compared]:
    """The KV cache of one log of a fork, all devices together. Raises Unsupported, GyakusanError."""
    model = _unquantized(_shape(row))
    if any(isinstance(m, Latent) for m in model.memory) and str(row["mla_attn"]) not in ("2", "3"):
        raise Unsupported("a fork that keeps expanded keys and values")
    settings = replace(settings_of(row), split_mode="none")
    ours = sum(int(g.on(0)) for g in bytes_per_device.groups(model, settings, place(model.blocks, settings, (GIB,))))
    yield Compared(number, row["model"], "kv", "all", sum(printed(row, "kv").values()), ours)


def accuracy(path: Path) -> dict[str, Any]:
    """The whole report; its form is the contract of --json."""
    logs: list[Row] = json.loads(path.read_text("utf-8"))
    found: list[Compared] = []
    forks: list[Compared] = []
    refused: Counter[str] = Counter()
    for number, row in enumerate(logs):
        fork = row["engine"] != "llama.cpp"
        try:
            if not row["clean"]:
                raise Unsupported("not clean: lines are missing or of several loads")
            (forks if fork else found).extend((compare_fork if fork else compare)(number, row))
        except (Unsupported, GyakusanError) as why:
            refused[f"{row['engine'] + ': ' if fork else ''}{why}"] += 1
    return {
        "rows": len(logs),
        "used": len({c.log for c in (*found, *forks)}),
        "llamacpp": len({c.log for c in found}),
        "forks": {"logs": len({c.log for c in forks}), "kv": summary(forks)},
        "unsupported": dict(refused),
        **{part: summary(c for c in found if c.part == part) for part in PARTS},
        "explained": {w: summary(c for c in found if c.why == w) for w in REASONS},
        "unexplained": {part: summary(c for c in found if c.part == part and not c.why) for part in PARTS},
        "by": {"backend": _by_backend(found, logs), "architecture": _by_architecture(found, logs)},
        "worst": [worst(c) for c in distinct((*found, *forks))],
    }


def distinct(compared: Iterable[Compared]) -> list[Compared]:
    """The largest differences, one for each model, part and device."""
    kept: dict[tuple[str, str, str], Compared] = {}
    for c in sorted((c for c in compared if c.error), key=lambda c: -c.error):
        kept.setdefault((c.name, c.part, c.device), c)
    return list(kept.values())[:SHOWN]


def _by_backend(found: Iterable[Compared], logs: list[Row]) -> dict[str, Any]:
    return _by(found, lambda c: backend_of(logs[c.log]))


def _by_architecture(found: Iterable[Compared], logs: list[Row]) -> dict[str, Any]:
    return _by(found, lambda c: str(logs[c.log]["arch"]))


def _by(found: Iterable[Compared], label: Any) -> dict[str, Any]:
    sorted_: dict[str, list[Compared]] = defaultdict(list)
    for c in found:
        sorted_[label(c)].append(c)
    return {
        name: {part: summary(c for c in some if c.part == part) for part in PARTS} for name, some in sorted_.items()
    }


def worst(c: Compared) -> dict[str, Any]:
    """One difference, named. said, ours [B]."""
    return {
        "log": c.log,
        "model": c.name,
        "part": c.part,
        "device": c.device,
        "said": round(c.said),
        "ours": round(c.ours),
        "error": c.error,
        "why": c.why,
    }


def summary(compared: Iterable[Compared]) -> dict[str, Any]:
    """n buffers; median, 95th percentile and largest relative error, None without any."""
    errors = sorted(c.error for c in compared)
    if not errors:
        return {"n": 0, "median": None, "p95": None, "max": None}
    p95 = errors[min(len(errors) - 1, int(0.95 * len(errors)))]
    return {"n": len(errors), "median": statistics.median(errors), "p95": p95, "max": errors[-1]}


def text(report: Row) -> str:
    """The report for people."""
    lines = [
        f"{report['rows']} logs, {report['llamacpp']} of llama.cpp and {report['forks']['logs']} of forks compared"
    ]
    lines += [f"  left out: {n} {why}" for why, n in report["unsupported"].items()]
    named = [(part, report[part]) for part in PARTS] + [("kv of forks", report["forks"]["kv"])]
    named += [(f"explained: {why}", s) for why, s in report["explained"].items()]
    named += [(f"{part} unexplained", s) for part, s in report["unexplained"].items()]
    for name, s in named:
        if s["n"]:
            lines.append(f"{s['n']:5} median {s['median']:8.3%} p95 {s['p95']:8.3%} max {s['max']:8.3%}  {name}")
    lines += [str(w) for w in report["worst"]]
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, default=TRUTH / "llamacpp_logs.json")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = accuracy(asked.logs)
    print(json.dumps(report, indent=1) if asked.json else text(report))


if __name__ == "__main__":
    main()
