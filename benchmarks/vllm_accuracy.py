"""How right the rules for vLLM are: against rows from its own KV-cache functions, and against start-up logs.

python benchmarks/vllm_accuracy.py --truth rows.jsonl.gz --configs configs.json.gz [--logs logs.json] [--json]

Rows name a model of the configs (name -> {source, config}) and carry per_req_bytes and bytes_per_block of one rank. They
were recorded without the config's quantization and from every layer's own specification, so that layers which read
another's cache count. A row that the rules refuse is not exact, and is listed.
Logs are asked for KV tokens. `full` rows: the model is found by its name and everything is predicted. `pool` rows: the
name says nothing ("/models/target", a draft model, an unknown repository); weights as loaded and bytes for each token are
taken from the log, and only the pool is predicted.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import re
import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gyakusan.core.machine import Device
from gyakusan.core.model import Model, Recurrent
from gyakusan.engines.vllm import config
from gyakusan.engines.vllm.blocks import reservation
from gyakusan.engines.vllm.pool import Pool, pool
from gyakusan.engines.vllm.profile import Range
from gyakusan.engines.vllm.settings import UTILIZATION, Settings, batch_defaults, release
from gyakusan.errors import GyakusanError
from gyakusan.units import GIB

Row = Mapping[str, Any]
SHOWN = 10


def read(path: Path) -> str:
    """The text of a file, compressed or not."""
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")


def judge_rows(rows: list[Row], configs: Row) -> dict[str, Any]:
    """Share of rows whose bytes are exact, with the worst that are not."""
    models: dict[str, Model] = {}
    exact = Counter({"request": 0, "block": 0})
    wrong, refused = [], Counter[str]()
    for row in rows:
        name = row["model"]
        try:
            if name not in models:
                models[name] = config.model(configs[name]["config"], name=name, quantized=False)
            found = reservation(models[name], settings_of(row), readers=True)
        except (GyakusanError, KeyError) as error:
            refused[f"{name} tp {row['tp']}: {error}"] += 1
            continue
        exact["request"] += found.bytes == row["per_req_bytes"]
        exact["block"] += found.block == row["bytes_per_block"]
        if found.bytes != row["per_req_bytes"]:
            wrong.append((found.bytes / row["per_req_bytes"] - 1, name, row["tp"], row["max_model_len"]))
    wrong.sort(key=lambda w: -abs(w[0]))
    return {
        "rows": len(rows),
        "models": len({r["model"] for r in rows}),
        "per_req_exact": exact["request"],
        "block_bytes_exact": exact["block"],
        "wrong": [{"error": w[0], "model": w[1], "tp": w[2], "length": w[3]} for w in wrong[:SHOWN]],
        "refused": dict(refused),
    }


def settings_of(row: Row) -> Settings:
    """The settings under which a row was recorded."""
    return Settings(
        row["max_model_len"],
        max_num_seqs=row.get("seqs", 256),
        max_num_batched_tokens=row["batched"],
        kv_cache_dtype=row.get("req_kvdtype", row.get("kvdtype", "auto")),
        enable_prefix_caching=row.get("req_prefix", row.get("prefix", True)),
        tensor_parallel=row["tp"],
    )


def judge_logs(rows: list[Row], configs: Row) -> dict[str, Any]:
    """Error of the KV tokens, and how often the range holds them."""
    found = [_judged(row, configs) for row in rows]
    errors = [abs(f["error"]) for f in found if "error" in f]
    full = [abs(f["error"]) for f in found if f.get("by") == "full"]
    worst = sorted((f for f in found if "error" in f), key=lambda f: -abs(f["error"]))
    return {
        "n": len(rows),
        "tokens_median_error": statistics.median(errors) if errors else None,
        "range_holds_share": sum(f.get("holds", False) for f in found) / len(rows) if rows else None,
        "by": dict(Counter(f.get("by", "refused") for f in found)),
        "full_median_error": statistics.median(full) if full else None,
        "full_range_holds_share": sum(f["holds"] for f in found if f.get("by") == "full") / len(full) if full else None,
        "worst": worst[:SHOWN],
        "refused": [f for f in found if "error" not in f],
    }


def _judged(row: Row, configs: Row) -> dict[str, Any]:
    named = {"model": row["model"], "gpu": row.get("gpu", ""), "version": row.get("vllm_version", "")}
    try:
        return named | _predicted(row, configs)
    except GyakusanError as error:
        return named | {"why": str(error)}


def _predicted(row: Row, configs: Row) -> dict[str, Any]:
    arguments = _arguments(row)
    device, total = _device(row)
    drafted = isinstance(arguments.get("speculative_config"), dict) and "model" in arguments["speculative_config"]
    model = None if drafted else _model(row["model"], configs)
    settings = _settings(row, arguments, device, model)
    if model is None:
        shape = _model("llama3.1-8b", configs)
        assert shape is not None
        one = pool(shape, settings, device, total=total, loaded=round(row["model_loading_gib"] * GIB))
        each = row["avail_kv_gib"] * GIB / row["gpu_kv_tokens"]
        tokens = Range(*(a / each for a in (one.available.low, one.available.best, one.available.high)))
    else:
        tokens = _tokens(pool(model, settings, device, total=total))
    true = row["gpu_kv_tokens"]
    return {
        "by": "pool" if model is None else "full",
        "tokens": true,
        "predicted": [round(tokens.low), round(tokens.best), round(tokens.high)],
        "error": tokens.best / true - 1,
        "holds": bool(tokens.low <= true <= tokens.high),
    }


def _tokens(found: Pool) -> Range:
    a = found.available
    return Range(found.tokens(a.low), found.tokens(a.best), found.tokens(a.high))


def _arguments(row: Row) -> dict[str, Any]:
    try:
        found = ast.literal_eval(row.get("non_default_args") or "{}")
    except (SyntaxError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _settings(row: Row, arguments: Row, device: Device, model: Model | None) -> Settings:
    version = str(row.get("vllm_version", ""))
    old = release(version) <= (0, 20)
    hybrid = model is not None and any(isinstance(g, Recurrent) for g in model.memory)
    share = row.get("gpu_memory_utilization") or row.get("gmu") or (0.9 if old else UTILIZATION)
    usual = batch_defaults(_alone(device))
    speculative = arguments.get("speculative_config")
    return Settings(
        int(row["max_seq_len"]),
        max_num_seqs=int(arguments.get("max_num_seqs") or usual.seqs),
        max_num_batched_tokens=int(row.get("max_num_batched_tokens") or usual.tokens),
        gpu_memory_utilization=float(share),
        kv_cache_dtype=str(row.get("kv_cache_dtype") or "auto"),
        enable_prefix_caching=bool(arguments.get("enable_prefix_caching", not (hybrid and old))),
        tensor_parallel=int(row.get("tp") or 1),
        enforce_eager=str(row.get("enforce_eager")) == "True",
        version=version,
        speculative_tokens=int(speculative.get("num_speculative_tokens", 0)) if isinstance(speculative, dict) else 0,
        speculative_method="other" if isinstance(speculative, dict) and "model" in speculative else "auto",
        state_dtype=str(arguments.get("mamba_ssm_cache_dtype", "auto")),
        quantization=_quantization(row),
    )


def _alone(device: Device) -> Any:
    from gyakusan.core.machine import Machine

    return Machine(device.name, (device,), None)


def _quantization(row: Row) -> str:
    """The kind of checkpoint, from what vLLM calls it and from its name."""
    method, name = str(row.get("quantization") or "None").lower(), str(row["model"]).lower()
    known = {"none": "none", "mxfp4": "mxfp4", "fp8": "fp8", "bitsandbytes": "bitsandbytes"}
    if method in known:
        return known[method]
    text = f"{method} {name}"
    for word, kind in (("fp4", "nvfp4"), ("fp8", "fp8"), ("awq", "awq"), ("w8a8", "int8"), ("int8", "int8")):
        if word in text:
            return kind
    return "gptq"


_PARTS = re.compile(r"[a-z]+|\d+(?:\.\d+)?b?")


def _model(name: str, configs: Row) -> Model | None:
    """The model whose name's parts all stand in `name` in that order; of several the longest. None if there is none."""
    from gyakusan.catalog.models import find, model_names
    from gyakusan.models.assemble import plain

    asked = _PARTS.findall(name.rsplit("/", 1)[-1].lower())
    names = {n: _PARTS.findall(n.lower()) for n in (*configs, *model_names())}
    fitting = [n for n, parts in names.items() if _within(parts, asked)]
    if not fitting:
        return None
    best = max(fitting, key=lambda n: (len(names[n]), n in configs))
    return config.model(configs[best]["config"], name=best) if best in configs else plain(find(best))


def _within(parts: list[str], asked: list[str]) -> bool:
    rest = iter(asked)
    return bool(parts) and all(p in rest for p in parts)


SIZES = {
    "a100": (40, 80),
    "h100": (80,),
    "h200": (141,),
    "l4": (24,),
    "l40": (48,),
    "b200": (180,),
    "t4": (16,),
    "a10": (24,),
}
"""Cards that our catalogue may not hold. [GB]"""


def _device(row: Row) -> tuple[Device, int]:
    """The card, and its memory as CUDA counts it if the log's analyst worked it out [B] (0: not)."""
    from gyakusan import machines

    name = str(row.get("gpu", ""))
    try:
        return machines.parse(re.sub(r"\s*\(.*\)|\s*\d+ ?GB", "", name)).gpus[0], 0
    except (GyakusanError, IndexError):
        pass
    size = re.search(r"(\d+) ?GB", name)
    taken = row["model_loading_gib"] + row["avail_kv_gib"]
    known = next((s for k, s in SIZES.items() if re.search(rf"\b{k}\b", name.lower())), (24,))
    gib = int(size[1]) if size else next((s for s in known if s > taken), known[-1])
    amd = "radeon" in name.lower() or "instinct" in name.lower() or re.search(r"\bmi\d", name.lower())
    return Device(name, "gpu", gib * GIB, "rocm" if amd else "cuda"), 0


def main() -> None:
    """Print the figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    parser.add_argument("--logs", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    configs = json.loads(read(asked.configs))
    rows = [json.loads(line) for line in read(asked.truth).splitlines() if line.strip()]
    result = judge_rows(rows, configs)
    if asked.logs:
        result["logs"] = judge_logs(json.loads(read(asked.logs)), configs)
    if asked.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{result['per_req_exact']} of {result['rows']} requests exact, {result['block_bytes_exact']} blocks")
    for line in (*result["wrong"], *result["refused"]):
        print(" ", line)
    for key, value in result.get("logs", {}).items():
        print(key, json.dumps(value, indent=1) if isinstance(value, list) else value)


if __name__ == "__main__":
    main()
