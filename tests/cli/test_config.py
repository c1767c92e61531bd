"""gyakusan config: kept after a check, shown, forgotten, in one private file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gyakusan.cli import defaults, main


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GYAKUSAN_DEFAULTS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "gyakusan" / "config.toml"


def test_set_show_unset(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert main(["config", "show"]) == 0
    assert not file.exists()
    assert main(["config", "set", "currency", "euro"]) == 0
    assert main(["config", "set", "device", "RTX 4090"]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert main(["config", "show"]) == 0
    assert capsys.readouterr().out == file.read_text() == 'currency = "EUR"\ndevice = "RTX 4090"\n'
    assert main(["config", "set", "currency", "JPY"]) == 0
    assert file.read_text() == 'currency = "JPY"\ndevice = "RTX 4090"\n'
    assert main(["config", "unset", "device"]) == 0
    assert file.read_text() == 'currency = "JPY"\n'


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("device", "RTX 409", "Did you mean"),
        ("currency", "GALLEON", "GALLEON"),
        ("language", "tlh", "en, ja"),
        ("key_file", "/no/such/file", "/no/such/file"),
        ("colour", "red", "No setting is called 'colour'"),
    ],
)
def test_what_is_wrong_is_not_kept(
    key: str, value: str, said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "set", key, value]) == 2
    assert said in capsys.readouterr().err
    assert not file.exists()


def test_a_line_that_stands_for_nothing_can_be_removed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('devise = "x"\nlanguage = "ja"\n')
    assert main(["config", "show"]) == 2
    assert "gyakusan config unset devise" in capsys.readouterr().err
    assert main(["config", "unset", "devise"]) == 0
    assert file.read_text() == 'language = "ja"\n'


def test_other_lines_and_comments_stay(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('# mine\nfoo = 1\nbar = "y"\nlanguage = "klingon"  # tlh')
    assert main(["config", "unset", "foo"]) == 0
    assert file.read_text() == '# mine\nbar = "y"\nlanguage = "klingon"  # tlh\n'
    assert main(["config", "set", "device", "RTX 4090"]) == 2
    assert "gyakusan config unset bar" in capsys.readouterr().err
    assert main(["config", "unset", "bar"]) == 0
    assert main(["config", "set", "device", "RTX 4090"]) == 2
    assert "klingon" in capsys.readouterr().err
    assert main(["config", "set", "language", "日本語"]) == 0
    assert file.read_text() == '# mine\nlanguage = "ja"\n'


@pytest.mark.parametrize("text", ["foo = [\n1,\n]\n", '[foo]\nx = "y"\n', 'bar = """\nfoo = 1\n"""\nfoo = 2\n'])
def test_what_cannot_be_removed_as_a_line_is_left(text: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert main(["config", "unset", "foo"]) == 2
    assert "config.toml" in capsys.readouterr().err
    assert file.read_text() == text


def test_a_file_that_is_passed_by_is_changed_all_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKUSAN_DEFAULTS", "off")
    assert main(["config", "set", "device", "RTX 4090"]) == 0
    assert main(["config", "set", "currency", "EUR"]) == 0
    assert main(["config", "unset", "device"]) == 0
    assert file.read_text() == 'currency = "EUR"\n'


def test_two_that_change_it_wait_for_each_other(file: Path) -> None:
    file.parent.mkdir(parents=True)
    with ThreadPoolExecutor(4) as pool:
        keys = [f"k{n}" for n in range(12)]
        file.write_text("".join(f"{key} = 1\n" for key in keys))
        list(pool.map(defaults.forget, keys))
    assert file.read_text() == ""


def test_a_key_is_kept_by_its_path(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    key = tmp_path / "key"
    key.write_text("a-secret-that-stays-where-it-is\n")
    key.chmod(0o600)
    assert main(["config", "set", "key_file", "key"]) == 0
    assert file.read_text() == f'key_file = "{key}"\n'
    assert "secret" not in file.read_text()
