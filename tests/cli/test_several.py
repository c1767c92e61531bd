"""gyakusan plan --also and gyakusan compare --plan on the command line."""

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
    for text in ("3 models: RTX 4090", "--port 8080", "--port 8081", "--port 8082", "--embedding", "an estimate"):
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
    assert [m["task"] for m in models] == ["chat", "coding", "embedding"]
    for model in models:
        assert model["memory"]["fits"]
        alone, busy = model["tokens_per_second"], model["tokens_per_second_all_at_work"]
        assert busy == pytest.approx(alone["value"] / 3)


def test_what_does_not_go_together_is_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 3060 12GB", "--also", "chat:model=llama3.3-70b", "--lang", "ja"]) == 1
    assert "不足" in capsys.readouterr().out


def test_the_views_of_one_model_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PARTS, "--max"]) == 2
    assert "--also" in capsys.readouterr().err


def test_python_plans_them_too() -> None:
    (plan,) = gyakusan.several(device="RTX 4090", also=["embedding:model=bge-m3"]).plans
    assert [m.name for m in plan.members][1] == "bge-m3"


@pytest.fixture
def questions(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "office.toml").write_text('budget = "600000JPY"\nusers = 5\ncontext = "16k"\n')
    (tmp_path / "lab.toml").write_text('device = "DGX Spark"\nusers = 5\ncontext = "16k"\n')
    return str(tmp_path / "office.toml"), str(tmp_path / "lab.toml")


def test_whole_plans_side_by_side(questions: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    office, lab = questions
    asked = ["compare", "--plan", office, "--plan", lab, "M4 Max 128GB", "--model", "gpt-oss-120b"]
    assert main([*asked, "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("office", "lab", "gpt-oss-120b", "better than the", "answer tokens/s for each user", "--port"):
        assert text in out
    assert main([*asked, "--json"]) == 0
    first, second, third = json.loads(capsys.readouterr().out)
    assert first["better_than_first"] is None
    assert 0 <= second["better_than_first"] <= 1
    assert first["price_jpy"] <= 600_000
    assert third["plan"] is None
    alone = gyakusan.plan(device="DGX Spark", users=5, context="16k").plans[0]
    assert (second["model"], second["quantization"]) == (alone.name, alone.quantization)


def test_a_plan_that_is_none_is_an_empty_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.toml").write_text('device = "RTX 3060 12GB"\nmodel = "llama3.1-405b"\n')
    assert main(["compare", "--plan", str(tmp_path / "none.toml"), "--lang", "en"]) == 1
    assert "no plan" in capsys.readouterr().out


def test_another_task_has_other_points(
    questions: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code.toml").write_text('device = "DGX Spark"\ntask = "coding"\n')
    assert main(["compare", "--plan", questions[1], "--plan", str(tmp_path / "code.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["better_than_first"] is None
