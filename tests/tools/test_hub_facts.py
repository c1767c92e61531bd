"""tools/hub_facts.py and tools/hub_artifacts.py: what a list of the hub says of our models."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from gyakusan.catalog.models import find
from tools import hub_artifacts, hub_facts

ROW = {
    "name": "openai/gpt-oss-20b",
    "hf_downloads": 7,
    "hf_likes": 2,
    "release_date": "2025-08-04",
    "license": "apache-2.0",
}


def test_the_list_is_read_from_the_program_in_the_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "llmfit-1.1.17-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        other = json.dumps([{"name": "no model", "age": 3}], indent=2)
        archive.writestr(
            "llmfit", b"\x7fELF" + other.encode() + b"\0" + json.dumps([ROW], indent=2).encode() + b"\xff" * 99
        )
        archive.writestr("METADATA", "x")
    assert hub_facts.hub_list(wheel) == [ROW]


NAMES = {
    "cyankiwi/GLM-5.2-AWQ-INT4": ("glm-5.2", "awq", "AWQ"),
    "nvidia/X-30B-A3B-NVFP4": ("x-30b-a3b", "nvfp4", "NVFP4"),
    "bartowski/ibm-granite_granite-4.1-8b-GGUF": ("granite-4.1-8b", "gguf", ""),
    "mlx-community/Y-8B-MLX-4bit": ("y-8b", "mlx", "4bit"),
    "nvidia/X-30B-A3B-BF16": ("x-30b-a3b", "bf16", "BF16"),
    "someone/GLM-5.2-abliterated": ("glm-5.2-abliterated", "bf16", "BF16"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_repository_is_a_model_in_a_format(name: str) -> None:
    assert hub_artifacts.split(name) == NAMES[name]


def test_rows_of_a_model() -> None:
    record = find("gpt-oss-20b")
    models = dict.fromkeys(hub_artifacts.stems(record), record)
    hub = [
        {**ROW, "gguf_sources": [{"repo": "ggml-org/gpt-oss-20b-GGUF"}]},
        {"name": "someone/gpt-oss-20b"},  # a copy
        {"name": "mlx-community/gpt-oss-20b-fp8"},
        {"name": "RedHatAI/gpt-oss-20b-FP8-dynamic"},
    ]
    rows = list(hub_artifacts.listed(hub, models, "a list"))
    assert [(r["repo"], r["kind"], r["publisher_rank"]) for r in rows] == [
        ("openai/gpt-oss-20b", "bf16", "1"),
        ("ggml-org/gpt-oss-20b-GGUF", "gguf", "1"),
        ("RedHatAI/gpt-oss-20b-FP8-dynamic", "fp8", "1"),
    ]


def test_files_of_a_gguf_repository() -> None:
    record = find("gpt-oss-20b")
    models = dict.fromkeys(hub_artifacts.stems(record), record)
    url = "https://huggingface.co/unsloth/gpt-oss-20b-GGUF/resolve/main/"
    quants = [
        {"path": f"{url}gpt-oss-20b-Q4_K_M.gguf", "file_size": "10.5 GB"},
        {"path": f"{url}Q8_0/gpt-oss-20b-Q8_0-00001-of-00002.gguf", "file_size": "9 GB"},
        {"path": f"{url}mmproj.gguf", "file_size": "1 GB"},
    ]
    rows = list(hub_artifacts.files([{"quants": quants}, {}], models, "abc"))
    assert [(r["quant"], r["bytes"]) for r in rows] == [("Q4_K_M", f"~{round(10.5 * 2**30)}"), ("Q8_0", "")]
