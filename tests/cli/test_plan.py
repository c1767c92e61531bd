"""gyakusan plan --also: several models on one machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gyakusan
from gyakusan.cli import main

PARTS = ("plan", "--device", "RTX 4090", "--also", "coding:users=2,context=16k", "--also", "embedding")


def test_every_model_has_its_row_and_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PARTS, "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("3 uses: RTX 4090", "--port 8080", "--port 8081", "--embedding", "are estimates"):
        assert text in out


def test_a_file_says_the_same_as_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "box.toml"
    file.write_text(
        'device = "RTX 4090"\n[[also]]\ntask = "coding"\nusers = 2\ncontext = "16k"\n[[also]]\ntask = "embedding"\n'
    )
    assert main([*PARTS, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["plan", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == said
    models = said["plans"][0]["models"]
    assert [[u["task"] for u in m["uses"]] for m in models] == [["chat", "coding"], ["embedding"]]
    for model in models:
        assert model["memory"]["fits"]
        alone, busy = model["tokens_per_second"], model["tokens_per_second_all_at_work"]
        assert busy == pytest.approx(alone["value"] / 2)


def test_what_does_not_go_together_is_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 3060 12GB", "--also", "chat:model=llama3.3-70b", "--lang", "ja"]) == 1
    assert "不足" in capsys.readouterr().out


def test_the_views_of_one_model_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PARTS, "--max"]) == 2
    assert "--also" in capsys.readouterr().err


def test_python_plans_them_too() -> None:
    (plan,) = gyakusan.several(device="RTX 4090", also=["embedding:model=bge-m3"]).plans
    assert [m.deployment.name for m in plan.members][1] == "bge-m3"
