"""gyakusan export: text on the terminal, in a file, as JSON; exit codes and errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.fakes import tiny

from gyakusan.cli import main

CARD = ("--device", "RTX 4090", "--context", "8k")


def test_a_file_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "qwen3-8b", "--to", "compose", "--no-key", *CARD]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# gyakusan export: compose of qwen3-8b\n"), "no command: the name alone makes another file"
    assert "127.0.0.1:8080:8080" in text


def test_a_file_is_written_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.yaml"
    assert main(["export", "qwen3-8b", "--to", "kubernetes", "--file", str(file), *CARD]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert str(file) in told.err
    assert "kind: Deployment" in file.read_text()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "qwen3-8b", "--to", "systemd", "--json", *CARD]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "gyakusan/export/1"
    assert found["models"] == ["qwen3-8b"]
    assert "ExecStart=" in found["text"]


def test_a_plan_that_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "llama3.3-70b", "--to", "compose", *CARD]) == 1
    assert "does not fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "qwen3-8b", "--to", "kubernets", *CARD], "Did you mean kubernetes?"),
        (["export", "qwen3-8b", "--to", "kubernetes", "--nodes", "2", *CARD], "built without RPC"),
        (["export", "qwen3-8b", *CARD], "--to"),
    ],
)
def test_errors_name_the_mend(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_ours_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    words = ["export", "qwen3-8b", "--to", "systemd", "--file", str(file), *CARD]
    assert main(words) == 2
    assert "stays as it is" in capsys.readouterr().err
    assert file.read_bytes() == b"GGUF"
    file.unlink()
    assert main(words) == 0
    assert main(words) == 0, "one of ours is replaced"


@pytest.mark.parametrize("encoding", ["cp932", "ascii"])
def test_a_path_is_whole_on_every_stdout(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "한국😀" / "m.gguf"
    file.parent.mkdir()
    file.write_bytes(tiny.gguf())
    around = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"}
    words = [sys.executable, "-m", "gyakusan", "export", str(file), "--to", "systemd", "--cpu", "--context", "64"]
    done = subprocess.run(words, env=around, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout.decode()
    assert b"\\u" not in done.stdout


def test_letters_that_this_locale_has_not_are_no_control_characters(tmp_path: Path) -> None:
    file = tmp_path / "한국" / "m.gguf"
    file.parent.mkdir()
    file.write_bytes(tiny.gguf())
    around = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-m", "gyakusan", "export", str(file), "--to", "systemd", "--cpu", "--context", "64"]
    done = subprocess.run(words, env=around, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"no letters in this locale (ascii)" in done.stderr
    assert b"LC_ALL=C.UTF-8" in done.stderr


def test_a_worker_that_anybody_may_reach_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for place, said in (("10.0.0.1:50052", True), ("127.0.0.1:50052", False)):
        main(["export", "smollm2", "--to", "systemd", "--set", f"rpc={place}"])
        assert ("no password and no encryption" in capsys.readouterr().err) is said


def test_podman_is_another_name_of_quadlet(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["export", "qwen3-4b", "--device", "RTX 4090", "--lang", "en", "--to"]
    texts = []
    for kind in ("podman", "quadlet"):
        assert main([*asked, kind]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("models", [("llama3.3-70b",), ("llama3.3-70b", "gpt-oss-120b")])
def test_a_proxy_need_not_fit(models: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", *models, "--to", "caddy", "--host", "llm.example.org", *CARD]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "reverse_proxy" in told.out


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("kind", ["compose", "quadlet", "systemd", "caddy", "kubernetes"])
def test_comments_are_as_wide_as_a_terminal_but_for_commands(
    kind: str, language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command to paste stays whole, on a line of its own where it is too long."""
    monkeypatch.setenv("GYAKUSAN_LANG", language)
    more = ["--host", "llm.example.org"] if kind == "caddy" else ["--lan"] if kind == "compose" else []
    main(["export", "gpt-oss-20b", "--device", "RTX 4090", "--to", kind, *more])
    comments = [line for line in capsys.readouterr().out.splitlines() if line.startswith("#")]
    assert comments
    assert not any(line.rstrip() == "#" for line in comments)
    command = re.compile(r"# +(?:\(|openssl|kubectl|mkdir|podman|nvidia-ctk|systemctl|sudo|gyakusan|\()")
    assert [line for line in comments if cell_len(line) > 80 and not command.match(line)] == []
