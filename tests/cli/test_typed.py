"""The words that were typed: kept for what repeats them; full-width letters are read as usual ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyakusan.cli import main
from gyakusan.cli.typed import half_width, remember, typed


def test_words_are_kept() -> None:
    remember(["plan", "--users", "5"])
    assert typed() == ("plan", "--users", "5")


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("ＲＴＸ\u3000４０９０", "RTX 4090"),
        ("－－ｕｓｅｒｓ", "--users"),
        ("３２ｋ", "32k"),
        ("日本語で答えて！", "日本語で答えて！"),
        ("100万円", "100万円"),
        ("32k", "32k"),
    ],
)
def test_full_width_letters(word: str, read: str) -> None:
    assert half_width(word) == read


def test_a_file_of_that_name_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "１.toml").touch()
    assert half_width("１.toml") == "１.toml"


def test_a_command_in_full_width_letters(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "inspect",
        "ｇｐｔ－ｏｓｓ－２０ｂ",
        "--device",
        "ＲＴＸ\u3000４０９０",
        "--context",
        "３２ｋ",
        "--users",
        "２人",
    ]
    assert main([*words, "--lang", "ja"]) == 0
    assert "RTX 4090に収まります" in capsys.readouterr().out
