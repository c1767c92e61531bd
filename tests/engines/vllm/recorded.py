"""Recorded rows of vLLM 0.32's own KV-cache functions, and the configs behind them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from gyakusan.core.model import Model
from gyakusan.engines.vllm import config
from gyakusan.engines.vllm.settings import Settings

TRUTH = Path(__file__).parents[2] / "truth"


@cache
def configs() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress((TRUTH / "vllm_configs.json.gz").read_bytes()))
    return found


@cache
def rows() -> tuple[dict[str, Any], ...]:
    text = gzip.decompress((TRUTH / "vllm_oracle.jsonl.gz").read_bytes()).decode()
    return tuple(json.loads(line) for line in text.splitlines())


@cache
def logs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((TRUTH / "vllm_logs.json").read_text())
    return found


@cache
def model(name: str, quantized: bool = False) -> Model:
    return config.model(configs()[name]["config"], name=name, quantized=quantized)


def names() -> list[str]:
    return sorted({r["model"] for r in rows()})


def settings(row: dict[str, Any]) -> Settings:
    return Settings(
        row["max_model_len"],
        max_num_batched_tokens=row["batched"],
        kv_cache_dtype=row["req_kvdtype"],
        enable_prefix_caching=row["req_prefix"],
        tensor_parallel=row["tp"],
    )
