"""Published files: what the table says of a model, in which order, and that no base model stands before a tuned one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gyakusan.catalog import artifacts as published
from gyakusan.catalog.artifacts import artifacts, beside, best, repository_files
from gyakusan.catalog.models import ModelRecord, model_records

LISTED = [r for r in model_records() if r.listed and r.role != "base"]
TUNED = ("instruct", "coder", "thinking")
WORD = re.compile(r"-(it|instruct|chat|think|thinking|jp|pt)\b|instruct|chat", re.IGNORECASE)


def _stem(repository: str) -> str:
    name = repository.casefold().rpartition("/")[2]
    return re.sub(r"(-(gguf|mlx|bf16|mxfp4|\d+bit|dwq))+$", "", name)


def _tuned(record: ModelRecord) -> frozenset[str]:
    """Names of tuned models: of the table. Hybrids have no word for it."""
    return frozenset(_stem(a.repository) for a in artifacts(record.name) if a.tuned in TUNED)


@pytest.mark.parametrize("record", LISTED, ids=lambda r: r.name)
def test_no_base_model_stands_before_the_tuned_one(record: ModelRecord) -> None:
    tuned = _tuned(record)
    for names in (record.aliases, record.gguf, record.mlx):
        repositories = [n for n in names if "/" in n]
        good = [WORD.search(n) is not None or _stem(n) in tuned for n in repositories]
        assert not any(good) or good[0], repositories


@pytest.mark.parametrize("record", LISTED, ids=lambda r: r.name)
def test_no_base_model_is_published_beside_a_tuned_one(record: ModelRecord) -> None:
    kinds = {a.tuned for a in artifacts(record.name) if a.format != "ollama"}
    assert not (kinds & set(TUNED) and "base" in kinds)


def test_the_best_file_of_a_tag() -> None:
    first = best("gemma4-26b-a4b", "q4_k_m")
    assert first is not None
    assert first.reference == "ggml-org/gemma-4-26B-A4B-it-GGUF:Q4_K_M"
    assert first.projector == "mmproj-gemma-4-26B-A4B-it-Q8_0.gguf"
    assert first.projector_bytes == 806408320
    assert first.confidence == "listing"


def test_sizes_are_those_of_all_parts() -> None:
    large = next(a for a in artifacts("gpt-oss-120b") if a.reference == "ggml-org/gpt-oss-120b-GGUF:MXFP4")
    assert large.bytes is not None
    assert 63_300_000_000 < large.bytes < 63_500_000_000
    assert not large.rounded
    air = next(a for a in artifacts("glm-4.5-air") if a.reference == "unsloth/GLM-4.5-Air-GGUF:Q4_K_M")
    assert air.bytes == 72_975_748_384


def test_uploads_that_were_replaced_are_not_told() -> None:
    mixed = best("qwen3.8-27b", "UD-Q4_K_XL")
    assert mixed is not None
    assert mixed.bytes == 17_559_178_144
    unsloth = {a.quantization for a in artifacts("qwen3.8-27b") if a.repository == "unsloth/Qwen3.8-27B-GGUF"}
    assert "IQ4_NL" not in unsloth
    assert mixed.mtp


def test_what_is_published_beside() -> None:
    kinds = {a.format for a in beside("gemma4-26b-a4b")}
    assert kinds == {"projector", "draft"}
    assert not {a.format for a in artifacts("gemma4-26b-a4b")} & kinds
    files = repository_files("gemma4-26b-a4b", "ggml-org/gemma-4-26B-A4B-it-GGUF")
    assert "gemma-4-26B-A4B-it-Q4_K_M.gguf" in files
    assert any("mmproj" in f for f in files)


def test_unknown_names_have_nothing() -> None:
    assert artifacts("no such model") == ()
    assert best("qwen3.8-27b", "Q9_9") is None


def test_only_what_others_saw_is_told() -> None:
    lines = published.FILE.read_text("utf-8").splitlines()
    names = [json.loads(line)[0] for line in lines[1:]]
    assert len(names) > 150
    assert set(names) <= {r.name for r in model_records()}
    every = [a for n in names for a in artifacts(n)]
    assert {a.confidence for a in every} == {"listing", "used-in-text"}
    assert all(a.source and a.date for a in every)
    assert len(every) > 3000


def test_tags_of_ollama_are_of_the_model_itself() -> None:
    tags = {r.name: [a.repository for a in artifacts(r.name) if a.format == "ollama"] for r in model_records()}
    assert tags["llama3.1-8b"] == ["llama3.1:8b"]
    assert tags["qwen2.5-7b"] == []


def test_the_notice_names_the_sources() -> None:
    notice = (Path(__file__).parents[2] / "NOTICE").read_text("utf-8")
    for name in ("LocalAI", "llmfit", "janhq/model-catalog", "lemonade", "vllm-project/recipes", "exo-explore/exo"):
        assert name in notice
