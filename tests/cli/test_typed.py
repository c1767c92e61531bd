"""What was typed: full-width letters are read as usual ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import App

from gyakusan.cli import main
from gyakusan.cli.app import build
from gyakusan.cli.typed import _TAKEN, half_width, in_yen, read_words


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


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("plan －－ｕｓｅｒｓ ３ --save ｏｕｔ／ＡＢＣ.yaml", "plan --users 3 --save ｏｕｔ／ＡＢＣ.yaml"),
        ("plan --svg=ＡＢＣ.svg --users=３", "plan --svg=ＡＢＣ.svg --users=3"),
        ("－－ｌａｎｇ＝ｊａ ｐｌａｎ ＡＢＣ.toml", "--lang=ja plan ＡＢＣ.toml"),
        ("--lang ja keys add ＡＢＣ --tokens １００ｋ", "--lang ja keys add ＡＢＣ --tokens 100k"),
        ("chat --system ＨＥＬＬＯ！ --max-tokens ５０", "chat --system ＨＥＬＬＯ！ --max-tokens 50"),
        ("inspect ｑｗｅｎ３－８ｂ --svg ＡＢＣ.svg", "inspect qwen3-8b --svg ＡＢＣ.svg"),
        ("compare ＲＴＸ４０９０ Ｍ４", "compare RTX4090 M4"),
        ("chat -- －－ｕｓｅｒｓ", "chat -- －－ｕｓｅｒｓ"),
    ],
)
def test_paths_names_and_texts_stay_as_typed(words: str, read: str) -> None:
    assert read_words(words.split(" ")) == read.split(" ")


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


def test_every_option_that_is_read_in_usual_letters_exists() -> None:
    names: set[str] = set()

    def walk(app: App) -> None:
        for name in app:
            if not name.startswith("-"):
                walk(app[name])
        if app.default_command is not None:
            names.update(n for a in app.assemble_argument_collection() for n in a.names)

    walk(build("en"))
    assert names >= _TAKEN


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["plan", "--task", "コーディング"], ["plan", "--task", "coding"]),
        (["plan", "--language=日本語"], ["plan", "--language=ja"]),
        (["plan", "--lang", "英語", "--os", "マック"], ["plan", "--lang", "en", "--os", "macos"]),
        (["keys", "add", "日本語"], ["keys", "add", "日本語"]),
    ],
)
def test_choices_have_japanese_names(words: list[str], read: list[str]) -> None:
    assert read_words(words) == read


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["--budget", "100万"], ["--budget", "100万円"]),
        (["--budget=百万"], ["--budget=百万円"]),
        (["--computer", "10万"], ["--computer", "10万円"]),
        (["--budget", "100万円"], ["--budget", "100万円"]),
        (["--budget", "100万ドル"], ["--budget", "100万ドル"]),
        (["--budget", "1000000"], ["--budget", "1000000"]),
        (["--users", "百"], ["--users", "百"]),
        (["--budget", "100万", "--currency", "USD"], ["--budget", "100万", "--currency", "USD"]),
    ],
)
def test_a_bare_amount_in_kanji_is_one_of_yen(words: list[str], read: list[str]) -> None:
    assert in_yen(words) == read


def test_every_amount_of_money_is_read_alike() -> None:
    """--price was left as it stood: it takes money, too."""
    assert in_yen(["fleet", "--price", "500万", "--budget=100万"]) != ["fleet", "--price", "500万", "--budget=100万"]
    assert all(word.endswith("円") for word in in_yen(["--price", "500万"])[1:])
