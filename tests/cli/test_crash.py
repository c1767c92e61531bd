"""What nobody expected is one line and a report without secrets."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from gyakusan.catalog import places
from gyakusan.cli import app, crash, main
from gyakusan.doors.secrets import hidden

KEY = "3kVh0qTz-the-key-of-a-server-AbC"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "alice"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "alice" / "state"))
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.setenv("GYAKUSAN_API_KEY", KEY)
    return tmp_path / "alice"


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def build(language: str) -> object:
        raise error

    monkeypatch.setattr(app, "build", build)
    monkeypatch.setattr(app.lean, "parameters", lambda words: None)


def test_a_fault_of_ours_is_a_line_and_a_report(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = (
        f"{state}/model.gguf https://u:hunter2word@example.org/a.gguf?sig=deadbeef {KEY} hf_abcdefghijklmnop \x1b[2J"
    )
    fail(monkeypatch, ZeroDivisionError(secret))
    typed = ["inspect", f"{state}/model.gguf", "https://u:hunter2word@example.org/x.gguf?token=abcd"]
    assert main(typed) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "This is a fault of gyakusan (ZeroDivisionError)." in said.err
    path = places.state() / crash.NAME
    assert str(path) in said.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "ZeroDivisionError" in text
    assert "test_crash.py" in text  # the traceback
    assert "command: gyakusan 'inspect' '~/model.gguf'" in text
    for word in (str(state), "hunter2word", "deadbeef", "abcd'", KEY, "hf_abcdefghijklmnop", "\x1b"):
        assert word not in text, word


def test_as_a_document(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fail(monkeypatch, RecursionError("deep"))
    assert main(["plan", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["exit_code"]) == ("Crash", 3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "The memory of this computer ran out."),
        (OSError(24, "Too many open files", "/x"), "/x: Too many open files."),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "The system refused: No usable"),
    ],
)
def test_what_the_system_refuses_is_no_fault_of_ours(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    said: str,
) -> None:
    fail(monkeypatch, error)
    assert main(["plan"]) == 3
    assert capsys.readouterr().err.startswith(f"gyakusan: {said}")
    assert not (places.state() / crash.NAME).exists()


def test_a_report_that_cannot_be_written(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir()
    (state / "state").write_text("no folder")
    fail(monkeypatch, KeyError("x"))
    assert main(["plan"]) == 3
    assert "its report cannot be written: " in capsys.readouterr().err


def test_a_thread_that_dies_is_reported(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: object, language: object) -> int:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        return 0

    monkeypatch.setattr(app, "_run", run)
    assert main(["plan"]) == 0
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "ZeroDivisionError" in (places.state() / crash.NAME).read_text()


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("http://user:pass@host/x", "pass"),
        ("https://host/x?X-Amz-Signature=abc", "abc"),
        ("Authorization: Bearer abcdefgh", "abcdefgh"),
        ("api_key='abcdefgh'", "abcdefgh"),
        ("token hf_abcdefgh12", "hf_abcdefgh12"),
        ("/home/bob/models/x.gguf", "bob"),
        ("/Users/bob/models/x.gguf", "bob"),
        ("the value of it is s3cretvalue", "s3cretvalue"),
        ("proxy pr0xyword", "pr0xyword"),
    ],
)
def test_secrets_are_hidden(text: str, gone: str) -> None:
    env = {"MY_TOKEN": "s3cretvalue", "HTTPS_PROXY": "http://me:pr0xyword@proxy:80", "PATH": os.environ["PATH"]}
    assert gone not in hidden(text, env)


def test_words_stay() -> None:
    text = "KeyError: 'tokens' in /usr/lib/python3/json.py, 3 tokens/s, RTX 4090"
    assert hidden(text, {"HOME": "/nowhere", "KEYBOARD": "qwertyuiop", "MY_KEY": "3"}) == text
