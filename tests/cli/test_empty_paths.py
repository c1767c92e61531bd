"""A file without a name is refused wherever a command takes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyakusan.cli import main

DEVICE = ("--device", "RTX 4090")


@pytest.mark.parametrize("name", ["", "   "])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", *DEVICE, "--save"), "--save"),
        (("plan", *DEVICE, "--svg"), "--svg"),
        (("plan", "--nodes"), "--nodes"),
        (("plan",), "FILE"),
        (("inspect", "qwen3-8b", *DEVICE, "--html"), "--html"),
        (("compare", "RTX 4090", "RTX 5090", "--model", "qwen3-8b", "--html"), "--html"),
    ],
)
def test_a_file_without_a_name(
    words: tuple[str, ...], said: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main([*words, name, "--lang", "en"]) == 2
    err = capsys.readouterr().err
    assert "is empty. Give it a value, or leave it out." in err
    assert said in err.upper() if said == "FILE" else said in err
    assert not list(tmp_path.iterdir())


def test_a_file_with_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *DEVICE, "--save", str(tmp_path / "a.toml")]) == 0
    assert (tmp_path / "a.toml").is_file()
