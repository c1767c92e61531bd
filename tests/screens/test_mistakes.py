"""Mistakes: one line each, which names the mend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

MISTAKES = (
    "inspect gpt-oss-20b --context 0",
    "inspect gpt-oss-20b --users 1.5",
    "inspect gpt-oss-20b --memory 24",
    "inspect gpt-oss-20b --memory '24 parsecs'",
    "inspect gpt-oss-20b --device 'RTX 5099'",
    "inspect gpt-oss-20b --device '0x RTX 3090'",
    "inspect gpt-oss-20b --device 'A100'",
    "inspect gpt-oss-21b",
    "inspect gpt-oss-20b --quant Q4_K_X",
    "inspect gpt-oss-20b --kv-type q9_0",
    "inspect gpt-oss-20b --kv-type q8_0 --flash-attention off",
    "inspect gpt-oss-20b --ubatch 0",
    "inspect gpt-oss-20b --ubatch many",
    "inspect gpt-oss-20b --engine olama",
    "inspect gpt-oss-20b --engine ollama --set parallel=2",
    "inspect gpt-oss-20b --engine ollama --set num_parallel",
    "inspect gpt-oss-20b --engine vllm --batch 64",
    "inspect gpt-oss-20b --engine mlx --kv-type q8_0",
    "inspect gpt-oss-20b --reserve 8",
    "inspect /nowhere/model.gguf",
    "inspect ftp://host/model.gguf",
    "inspect hf:org/tiny --offline",
    "inspect org/tiny",
    "inspect qwen3:99b --offline",
    "inspect broken.gguf",
    "inspect .",
    "inspect",
    "inspect gpt-oss-20b --nope",
    "nope",
    "serve gpt-oss-20b",
    "serve smollm2 --key-file /nowhere",
    "serve smollm2 --users 4000 --context 8k --cpu",
    "serve tiny.gguf --host 0.0.0.0 --port 0 --cpu",
    "plan missing.toml",
    "plan wrong.toml",
    "plan --device 'RTX 4090' --also embedding --max",
    "plan --users 0",
    "plan --budget 500000",
    "plan --budget 500000XYZ",
    "plan --task writing",
    "plan --rates USD",
    "plan --speed fast",
    "fleet --users 4 --arrivals 5",
    "fleet --users 4 --replicas 0",
    "fleet --users 4 --tariff 31XYZ/kWh",
    "fleet --users 4 --network fast",
    "fleet --users 4 --months -1",
    "upgrade --device 'RTX 3060 12GB' --resale much",
    "compare",
    "compare 'RTX 4090'",
    "compare --model llama3.1-8b",
    "catalog show 'RTX 5099'",
    "catalog add nothing.toml",
    "catalog list gpus",
    "accuracy memory --engine vlm",
    "--lang de",
)


@pytest.fixture(autouse=True)
def files(somewhere: Path) -> None:
    """The broken files that the words name."""
    (somewhere / "broken.gguf").write_bytes(b"GGUF" + bytes(7))
    (somewhere / "wrong.toml").write_text("userz = 3\n")


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", MISTAKES)
def test_mistake(words: str, language: str, printed: Screen, snapshot: SnapshotAssertion) -> None:
    assert printed(words, language=language) == snapshot
