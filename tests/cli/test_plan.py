"""gyakusan plan: several models on one machine (--also), and a model alone (--model, --buy)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gyakusan
from gyakusan import machines
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


@pytest.mark.parametrize(
    ("here", "model", "options", "said", "begins"),
    [
        ("RTX 4090", "qwen3-8b", (), "This computer runs it. For machines to buy: add --buy.", "Run qwen3-8b"),
        ("RTX 4090", "qwen3-8b", ("--buy",), "", "Buy "),
        ("GTX 1650", "gpt-oss-120b", (), "This computer does not run it: these are machines to buy.", "Buy "),
        ("GTX 1650", "gpt-oss-120b", ("--no-buy",), "", "No "),
        ("RTX 4090", "qwen3-8b", ("--budget", "500000JPY"), "", "Buy "),
        ("GTX 1650", "qwen3-8b", ("--device", "RTX 4090"), "", "Run qwen3-8b"),
    ],
)
def test_a_model_alone_is_for_this_computer_if_it_runs_there(
    here: str, model: str, options: tuple[str, ...], said: str, begins: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    """It went shopping without a word, also on a computer that runs the model."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(machines, "this_computer", lambda: machines.parse(here))
    main(["plan", "--model", model, *options, "--lang", "en"])
    out, err = capsys.readouterr()
    assert out.startswith(begins)
    assert said in err
    assert bool(said) == bool(err)
    if begins != "No ":
        main(["plan", "--details", "1", "--lang", "en"])
        again = capsys.readouterr()
        assert (model in again.out, again.err) == (True, "")


def test_a_speed_that_is_not_known_is_not_called_fast_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(machines, "this_computer", lambda: machines.parse(None, "24GiB"))
    assert main(["plan", "--model", "qwen3-8b", "--lang", "en"]) == 0
    err = capsys.readouterr().err
    assert "It fits this computer, its speed is not known (gyakusan calibrate measures)." in err
    assert "runs it" not in err


def test_why_it_is_not_for_this_computer_is_said_before_shopping(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(machines, "this_computer", lambda: machines.parse("RTX 4090"))
    assert main(["plan", "--model", "qwen3-8b", "--engine", "mlx", "--lang", "en"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Buy ")
    assert err.startswith("gyakusan: These are machines to buy, not this computer: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "qwen3-8b", "--buy", "--device", "RTX 4090"), "--device names one that is there."),
        (("--model", "qwen3-8b", "--buy", "--memory", "24GiB"), "--memory names one that is there."),
        (("--model", "qwen3-8b", "--no-buy", "--budget", "2000USD"), "--no-buy and --budget contradict each other."),
        (("--device", "RTX 4090", "--max", "--what-if"), "--what-if, --max were given together."),
        (("--device", "RTX 4090", "--all", "--what-if"), "--what-if, --all were given together."),
    ],
)
def test_what_contradicts_is_not_passed_over(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each was answered as if one of the options had not been typed."""
    assert main(["plan", *words, "--lang", "en"]) == 2
    assert said in capsys.readouterr().err


def test_machines_to_buy_need_a_model_or_a_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--buy"]) == 2
    assert "Add --model NAME, or give a --budget." in capsys.readouterr().err
