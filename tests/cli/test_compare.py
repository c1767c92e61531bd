"""Devices side by side: the guide's two charts, on any model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import gyakusan
from gyakusan.cli import main

GUIDE = ("RTX 5090", "M4 Max 128GB", "DGX Spark", "Ryzen AI Max+ 395 128GB")
ASKED = ("compare", *GUIDE, "--model", "llama3.1-8b", "--model", "qwen2.5-14b")


def answer(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main([*ASKED, "--json"]) == 0
    return list(json.loads(capsys.readouterr().out))


def test_every_pair_has_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys)
    assert len(rows) == 8
    for row in rows:
        for name in ("decode_each", "prefill", "ttft"):
            figure = row["pace"][name]  # type: ignore[index]
            assert 0 < figure["low"] < figure["value"] < figure["high"]


def test_the_guide_was_right_that_the_gaming_card_is_fastest(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [r for r in answer(capsys) if r["model"] == "llama3.1-8b"]
    speed = {r["device"]: r["pace"]["decode_each"] for r in rows}  # type: ignore[index]
    best = max(speed, key=lambda d: speed[d]["value"])
    assert best == "NVIDIA GeForce RTX 5090"
    assert all(speed[best]["low"] > f["high"] for d, f in speed.items() if d != best)


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "RTX 4090", "DGX Spark", "--model", "llama3.1-70b"]) == 0
    out = capsys.readouterr().out
    assert "short by" in out
    assert "llama3.1-70b fits on the DGX Spark." in out


@pytest.mark.parametrize("arguments", [("compare",), ("compare", "RTX 4090"), ("compare", "--model", "llama3.1-8b")])
def test_nothing_to_compare(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("gyakusan: No ")


def test_a_narrow_window_cuts_no_figure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["compare", "RTX 5090", "RTX 5090 Laptop", "--model", "llama3.1-8b"]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_slow_answers_have_two_digits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "DGX Spark", "--model", "llama3.3-70b"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith(" DGX Spark"))
    assert re.search(r" \d\.\d  .*█", line)


def test_the_guide_s_devices_need_no_size_to_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    devices = ("RTX 5090", "M4 Max 128GB", "DGX Spark", "Ryzen AI Max+ 395")
    assert main(["compare", *devices, "--model", "llama3.1-8b", "--no-color"]) == 0
    assert "Ryzen AI Max+ 395 128GB" in capsys.readouterr().out


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
    for text in ("office", "lab", "gpt-oss-120b", "in quality", "answer tokens/s", "first token", "to spare"):
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


@pytest.mark.parametrize(("currency", "head"), [("USD", "price, computer, USD"), ("eur", "price, computer, EUR")])
def test_prices_are_said_in_the_currency_that_is_asked_for(
    currency: str, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "RTX 5090", "M5 Max 128GB", "--model", "gpt-oss-20b", "--currency", currency]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert head in out
    assert "yen" not in out


def test_a_currency_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "RTX 5090", "--model", "gpt-oss-20b", "--currency", "XYZ"]) == 2
    assert "is not a known currency" in capsys.readouterr().err


def test_a_device_beside_a_plan_answers_the_question_of_the_plan(
    questions: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It was asked for 1 person with the usual context beside a plan for several."""
    asked = ["compare", "--plan", questions[0], "M4 Max 128GB", "--model", "gpt-oss-20b", "--json"]
    columns = []
    for more in ((), ("--users", "5", "--context", "16k"), ("--users", "2")):
        assert main([*asked, *more]) == 0
        columns.append(json.loads(capsys.readouterr().out)[-1])
    assert columns[0] == columns[1] != columns[2]
