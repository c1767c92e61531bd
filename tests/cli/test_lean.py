"""The parser with only the typed options reads what the whole parser reads, and leaves it every mistake."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App, CycloptsError

from gyakusan.cli import lean
from gyakusan.cli.app import _empty, build, run

APP = build("en")
CHOICES = {"--task": "chat", "--language": "ja", "--lang": "ja", "--os": "linux", "--prefer": "speed"}


def every_option() -> list[tuple[str, ...]]:
    """Each name of each option of each command, with a value where it takes one."""
    found = []
    for command in lean.ASKED_OFTEN:
        for argument in APP[command].assemble_argument_collection():
            for name in (*argument.names, *argument.negatives):
                alone = name in argument.negatives or argument.is_flag()
                words = (name,) if alone else (name, CHOICES.get(name, "1"))
                found.append((command, *words))
    return found


def read(app: App, words: tuple[str, ...]) -> dict[str, Any] | str:
    """What a command is called with, its defaults filled in; the kind of mistake where it is none."""
    try:
        _, bound, _ = app.parse_args(list(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return type(error).__name__
    return dict(bound.arguments)


def lean_app(words: tuple[str, ...]) -> App | None:
    needed = lean.parameters(words)
    if needed is None:
        return None
    app = _empty("en")
    app.command(lean.reduced(*needed), name=words[0])
    return app


@pytest.fixture(autouse=True)
def _no_file_of_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize("words", every_option(), ids=" ".join)
def test_an_option_is_read_as_the_whole_parser_reads_it(words: tuple[str, ...]) -> None:
    """Also behind a name that stands alone, and written with "="."""
    option, _, value = words[1], None, words[2:]
    for typed in (words, (words[0], "llama", *words[1:]), (words[0], f"{option}={value[0]}") if value else words):
        app = lean_app(typed)
        if app is not None:
            light, whole = read(app, typed), read(APP, typed)
            if isinstance(whole, dict):
                assert isinstance(light, dict), light
                assert light.items() <= whole.items()
                assert set(whole) - set(light) <= untyped(words[0], whole)
            else:  # a mistake is read again by the whole parser
                assert light == whole


def untyped(command: str, whole: dict[str, Any]) -> set[str]:
    """The parameters that have their default."""
    known = inspect.signature(APP[command].default_command).parameters
    return {name for name, value in whole.items() if known[name].default == value}


def test_most_options_need_no_whole_parser() -> None:
    left = [words for words in every_option() if lean_app(words) is None and words[1].startswith("--")]
    assert len(left) < 0.2 * len(every_option()), left


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--help"),
        ("plan", "-h"),
        ("plan", "--gpus", "2"),
        ("plan", "--users", "1", "--users", "2"),
        ("plan", "--users", "-5"),
        ("plan", "--"),
        ("plan", "--devic", "RTX 4090"),
        ("plan", "--Device", "RTX 4090"),
        ("catalog", "list"),
        ("", "--device"),
        (),
    ],
)
def test_what_is_unusual_is_left_to_the_whole_parser(words: tuple[str, ...]) -> None:
    assert lean.parameters(words) is None


def test_a_file_of_defaults_is_left_to_the_whole_parser(tmp_path: Path) -> None:
    """It fills in options that nobody typed."""
    (tmp_path / "gyakusan").mkdir()
    (tmp_path / "gyakusan" / "config.toml").write_text('device = "RTX 4090"\n')
    assert lean.parameters(("plan", "--users", "2")) is None


def test_a_group_that_was_not_typed_is_not_built() -> None:
    needed = lean.parameters(("plan", "--device", "RTX 4090"))
    assert needed is not None
    assert [one.name for one in needed[1]] == ["file", "where"]


@pytest.mark.parametrize("value", ["cooking", ""])
def test_a_wrong_value_is_told_with_every_choice(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--task", value], "en") == 2
    assert "translation" in capsys.readouterr().err
