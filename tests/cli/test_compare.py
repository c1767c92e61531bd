"""Devices side by side: the guide's two charts, on any model."""

from __future__ import annotations

import json
import re

import pytest

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
    assert "NVIDIA DGX Spark" in out


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
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("NVIDIA DGX Spark"))
    assert re.search(r" \d\.\d █", line)


def test_the_guide_s_devices_need_no_size_to_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    devices = ("RTX 5090", "M4 Max 128GB", "DGX Spark", "Ryzen AI Max+ 395")
    assert main(["compare", *devices, "--model", "llama3.1-8b", "--no-color"]) == 0
    assert "AMD Ryzen AI Max+ 395 128GB" in capsys.readouterr().out
