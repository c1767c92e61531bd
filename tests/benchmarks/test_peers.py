"""The script that asks peers: their answers are read right, and no answer is no figure. Their programs are fakes here."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path

import pytest
from benchmarks.memory_accuracy import TRUTH

from benchmarks import peers
from gyakusan.units import GIB

CASE = peers.CASES[-1]
CONFIGS = json.loads(gzip.decompress((TRUTH / "vllm_configs.json.gz").read_bytes()))


def program(folder: Path, name: str, *lines: str) -> None:
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def ask(folder: Path, name: str) -> peers.Answer:
    return peers.asked(name, CASE, peers.runner(folder), folder)


def test_llmfit(tmp_path: Path) -> None:
    program(tmp_path, "llmfit", """echo '{"minimum": {"vram_gb": 21.0}, "disk_size_gb": 4.5}'""")
    assert ask(tmp_path, "llmfit") == peers.Answer(16.5 * GIB, 21.0 * GIB)


def test_llmcalculator(tmp_path: Path) -> None:
    program(tmp_path, "llmcalculator", """echo '{"breakdown_gb": {"KV cache": 16.0, "Weights": 4.5}}'""")
    assert ask(tmp_path, "llmcalculator") == peers.Answer(16.0 * GIB, 20.5 * GIB)


def test_llm_mem_planner(tmp_path: Path) -> None:
    program(tmp_path, "llm-mem", "echo 'seq_len=1: kv_unique=2.5 GiB, kv_per_rank=2.5 GiB'")
    assert ask(tmp_path, "llm-mem-planner") == peers.Answer(2.5 * GIB)


def test_json_with_an_exit_code_is_an_answer(tmp_path: Path) -> None:
    program(tmp_path, "vramscout", """echo '{"parts_gib": {"KV cache": 3.0}}'""", "exit 1")
    assert ask(tmp_path, "vramscout") == peers.Answer(3.0 * GIB)


@pytest.mark.parametrize(
    ("said", "why"),
    [("[Errno -2] Name or service not known", "network"), ("error: no such model", "error: no such model")],
)
def test_a_failure_is_named(tmp_path: Path, said: str, why: str) -> None:
    program(tmp_path, "vramcalc", f"echo '{said}' >&2", "exit 3")
    assert ask(tmp_path, "vramcalc") == peers.Answer(why=why)


def test_a_peer_that_is_not_installed(tmp_path: Path) -> None:
    assert "No such file" in ask(tmp_path, "vramcalc").why


@pytest.mark.parametrize("case", [c for c in peers.CASES if c.name not in ("deepseek-v3", "qwen2.5-14b")])
def test_ours_is_the_truth(case: peers.Case) -> None:
    model = peers.model_of(case, CONFIGS)
    assert peers.ours(case, model) == peers.truth(case, model)


def test_the_tables() -> None:
    answers = {"truth": peers.Answer(2.0 * GIB), "gyakusan": peers.Answer(2.0 * GIB, 3.0 * GIB)}
    answers |= {name: peers.Answer(why="network") for name in peers.PEERS}
    answers["llmfit"] = peers.Answer(3.0 * GIB)
    text = peers.text({"cases": [{"name": "m", "context": 4096, "answers": answers}], "versions": {"llmfit": "1"}})
    assert "| m, 4,096 tokens | 2.00 | 2.00 | 3.00 (+50%) |" in text
    assert "- hf-mem: network" in text
