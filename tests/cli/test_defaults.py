"""The user's own defaults: what is typed wins, and a wrong file is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gyakusan.cli import defaults, main, serve, starting


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GYAKUSAN_DEFAULTS")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    defaults.place().parent.mkdir(parents=True)
    return defaults.place()


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, object]:
    assert main([*words, "--json"]) == code
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def machine(found: dict[str, object]) -> str:
    return json.dumps(found["devices"])


def test_a_device_is_meant_where_none_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('device = "RTX 4090"\n')
    assert "4090" in machine(answer(capsys, "inspect", "gpt-oss-20b"))
    assert "3090" in machine(answer(capsys, "inspect", "gpt-oss-20b", "--device", "RTX 3090"))
    assert "4090" not in machine(answer(capsys, "inspect", "gpt-oss-20b", "--memory", "24GiB"))


def test_the_cpu_is_this_computers(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["inspect", "smollm2", "--cpu", "--context", "512"]
    file.write_text('device = "RTX 4090"\n')
    main(words)
    told = capsys.readouterr().out.partition(" with at least ")
    monkeypatch.setenv("GYAKUSAN_DEFAULTS", "off")
    main(words)
    assert told[1]  # what is free now may differ
    assert capsys.readouterr().out.startswith("".join(told[:2]))


def test_a_budget_is_no_question_about_the_device(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('device = "RTX 4090"\ncurrency = "EUR"\n')
    assert main(["plan", "--budget", "500000JPY"]) == 0
    text = capsys.readouterr().out
    assert "EUR" in text
    assert "Buy " in text


def test_a_request_in_a_file_and_a_number_win(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('device = "RTX 4090"\n')
    (tmp_path / "asked.toml").write_text('device = "RTX 3090"\n')
    assert main(["plan", str(tmp_path / "asked.toml")]) == 0
    assert "RTX 3090" in capsys.readouterr().out
    assert main(["plan", "--file", str(tmp_path / "asked.toml")]) == 0
    assert "RTX 3090" in capsys.readouterr().out
    assert main(["plan", "--command", "1"]) == 0  # of the last answer
    assert capsys.readouterr().out.count("\n") == 1


def test_the_language_is_kept_and_a_word_of_ours_wins(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('language = "ja"\n')
    ask = ["inspect", "gpt-oss-20b", "--device", "RTX 4090"]
    assert main(ask) == 0
    assert "収まります" in capsys.readouterr().out
    assert main([*ask, "--lang", "en"]) == 0
    assert "fits on" in capsys.readouterr().out
    monkeypatch.setenv("GYAKUSAN_LANG", "en")
    assert main(ask) == 0
    assert "fits on" in capsys.readouterr().out


def test_a_key_is_for_ones_own_server_only(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 40)
    key.chmod(0o600)
    file.write_text(f'key_file = "{key}"\n')
    key.chmod(0o644)
    assert main(["serve", "smollm2", "--cpu", "--dry-run"]) == 2
    assert "can read the key" in capsys.readouterr().err
    assert main(["connect", "http://127.0.0.1:9/"]) == 3
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("gpt-oss-20b", "--device", "RTX 4090"), ("1",)])
def test_a_kept_key_opens_the_server(
    words: tuple[str, ...], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 40)
    key.chmod(0o600)
    assert main(["plan", "--device", "RTX 4090"]) == 0
    file.write_text(f'key_file = "{key}"\n')
    asked: list[str | None] = []

    def key_in(name: str | None) -> str | None:
        asked.append(name)
        return starting.key_in(name)

    monkeypatch.setattr(serve, "key_in", key_in)
    main(["serve", *words, "--dry-run"])
    assert asked == [str(key)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('devise = "RTX 4090"\n', "there is no setting devise"),
        ("device = 4090\n", "device is no text on one line"),
        ('device = "a\\nb"\n', "device is no text on one line"),
        ('device = "RTX 4\n', "config.toml: "),
        ('device = "RTX 999"\n', "No device is called"),
        ('language = "klingon"\n', '"klingon" is no language. Choose one of: en, ja.'),
        ("x = " + "[" * 400 + "\n", "config.toml: "),
    ],
)
def test_a_wrong_file_is_named(text: str, said: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text)
    assert main(["inspect", "gpt-oss-20b"]) == 2
    assert said in capsys.readouterr().err
    assert main(["inspect", "gpt-oss-20b", "--help"]) == 0
    assert main(["--version"]) == 0


@pytest.mark.parametrize("text", ['language = "klingon"\n', 'device = "RTX 4\n', 'devise = "x"\n'])
def test_a_command_that_needs_no_default_says_once_that_the_file_is_wrong(
    text: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(text)
    for name in ("GYAKUSAN_LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert main(["catalog", "show", "RTX 4090"]) == 0
    told = capsys.readouterr()
    assert told.err.count("config.toml") == told.err.count("\n") == 1
    assert "。" in told.err
    monkeypatch.setenv("GYAKUSAN_DEFAULTS", "off")
    assert main(["catalog", "show", "RTX 4090"]) == 0
    assert not capsys.readouterr().err


def test_it_can_be_passed_by(file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('device = "RTX 4090"\n')
    assert "4090" in machine(answer(capsys, "inspect", "gpt-oss-20b", "--quant", "MXFP4"))
    monkeypatch.setenv("GYAKUSAN_DEFAULTS", "off")
    main(["inspect", "gpt-oss-20b", "--quant", "MXFP4"])
    assert "4090" not in capsys.readouterr().out
