"""Embedding models: records that add up, memory byte for byte as llama.cpp has it, and apart from all that answer."""

from __future__ import annotations

import gzip
import json
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import pytest

from gyakusan import api
from gyakusan.catalog.models import embedding_records, find, model_names
from gyakusan.core.load import Load
from gyakusan.engines.llamacpp.expected_log import buffers
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.models.assemble import from_record, plain

RECORDS = {r.name: r for r in embedding_records()}
TRUTH = Path(__file__).parents[1] / "truth" / "encoders.jsonl.gz"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in gzip.decompress(TRUTH.read_bytes()).decode().splitlines()]


@cache
def model(name: str) -> Any:
    return from_record(RECORDS[name])


def test_they_are_in_no_list_of_models_that_answer() -> None:
    assert len(RECORDS) >= 9
    assert not set(RECORDS) & set(model_names())
    assert not any(r.listed for r in RECORDS.values())
    assert find("BAAI/bge-m3").name == "bge-m3"


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_the_sum_of_its_tensors(name: str) -> None:
    record = RECORDS[name]
    tensors = plain(record).tensors
    assert sum(prod(t.shape) for t in tensors) == record.parameters
    assert len(tensors) == record.tensors
    assert abs(record.parameters - record.published) < 0.01 * record.published


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['model']}-{r['n_ubatch']}-{r['fa']}")
def test_memory_is_llama_cpps(row: dict[str, Any]) -> None:
    flash = "auto" if row["fa"] else "off"
    chosen = Settings(
        context=row["n_ctx"],
        batch=row["n_batch"],
        ubatch=row["n_ubatch"],
        flash_attention=flash,
        backend="cpu",
        mmap=False,
        repack=False,
    )
    sizes: dict[str, int] = {}
    for kind, _, size in buffers(model(row["model"]), chosen):
        sizes[kind] = sizes.get(kind, 0) + int(size)
    assert sizes["weights"] == row["weights"]
    assert sizes.get("kv_cache", 0) == row["context"]
    exact = row["fa"] or row["model"].startswith("qwen3")
    assert sizes["scratch"] == pytest.approx(row["compute"], rel=0 if exact else 0.06)


@pytest.mark.parametrize("name", ["bge-m3", "embeddinggemma-300m", "ruri-v3-310m", "nomic-embed-text-v2-moe"])
def test_encoders_keep_nothing_and_have_no_output_on_the_card(name: str) -> None:
    one, many = (api.deployment(name, load=Load(users, 512), device="RTX 4090").ledger for users in (1, 8))
    assert one.of("kv_cache") == many.of("kv_cache") == 0
    weights = one.accounts[0].of("weights")
    assert weights < sum(t.bytes for t in one.model.tensors if t.name != "token_embd.weight") * 1.01


@pytest.mark.parametrize("server", ["vLLM", "MLX-LM"])
def test_other_engines_say_that_they_do_not_run_encoders(server: str) -> None:
    device = "RTX 4090" if server == "vLLM" else "M4 Max 64GB"
    deployment = api.deployment("bge-m3", load=Load(1, 512), device=device, server=server)
    assert deployment.refusals
