"""gyakusan accuracy: figures for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gyakusan.catalog import accuracy
from gyakusan.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("GYAKUSAN_LANG", "en")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["accuracy", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_memory_names_engines_backends_architectures_and_worst_cases(run: Run) -> None:
    code, out, err = run("memory")
    assert (code, err) == (0, "")
    for words in (
        "llama.cpp",
        "vLLM",
        "MLX-LM",
        "Ollama",
        "by backend",
        "by architecture",
        "qwen3moe",
        "Worst cases",
    ):
        assert words in out


@pytest.mark.parametrize("engine", ["vllm", "vLLM", "mlx", "llama.cpp", "Ollama"])
def test_one_engine(run: Run, engine: str) -> None:
    code, out, _ = run("memory", "--engine", engine, "--json")
    names = {s["engine"] for s in json.loads(out)["memory"]}
    assert code == 0
    assert {n.casefold().removesuffix("-lm") for n in names} == {engine.casefold()}


def test_json_is_what_is_published(run: Run) -> None:
    found: dict[str, Any] = json.loads(run("memory", "--json")[1])
    assert [s["id"] for s in found["memory"]] == [s.id for s in accuracy.memory()]


def test_an_engine_that_is_not_known(run: Run) -> None:
    assert run("memory", "--engine", "vlm") == (2, "", "gyakusan: No engine is called 'vlm'. Did you mean vLLM?\n")


def test_speed_says_so_before_it_was_judged(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "speed", lambda: None)
    assert run("speed") == (1, "No speed has been evaluated yet.\n", "")
    code, out, _ = run("speed", "--json")
    assert (code, json.loads(out)["speed"]) == (1, None)


def test_japanese(run: Run) -> None:
    assert "誤差が最大の例" in run("memory", "--lang", "ja")[1]
