"""Faults that paths, printed commands and the end of a terminal once had: F7, F12, F13, F14, and others of their kinds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.attack_cases.guard import crashed
from tests.attack.terminals import home, run
from tests.fakes import tiny

from gyakusan.doors import files

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home(tmp_path, monkeypatch)


def test_each_fault_is_named_by_a_test() -> None:
    """Each fault of the first attack has a test whose docstring begins with its number."""
    named = {
        int(match[1])
        for path in TESTS.rglob("test_*.py")
        for match in re.finditer(r'"""(?:F\d+, )*F(\d+)[:, ]', path.read_text("utf-8"))
    }
    assert set(range(1, 16)) - named == set()


READERS = (
    ("plan", "{}"),
    ("fleet", "{}"),
    ("upgrade", "{}"),
    ("compare", "--plan", "{}"),
    ("catalog", "check", "{}"),
    ("catalog", "add", "{}"),
    ("inspect", "{}"),
    ("get", "{}", "--dry-run"),
    ("serve", "tiny.gguf", "--dry-run", "--key-file", "{}"),
    ("bench", "http://127.0.0.1:9/v1", "--key-file", "{}"),
)
DEEP = ("deep.toml", "dots.toml", "deep.json")
PATHS = ("/dev/zero", "/", "~nosuch/x.gguf", "~nosuch/x.toml", "/proc/self/mem", "fifo.toml", *DEEP)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0] if words[0] != "catalog" else words[1])
def test_f7_paths_that_are_no_files(
    words: tuple[str, ...], path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F7: /dev/zero took all memory, `/` and ~nosuch were tracebacks, deep brackets a RecursionError, a.a.a 1.6 GB."""
    monkeypatch.setattr(files, "PATIENCE", 0.5)  # a pipe into which nobody writes is waited for
    if path == "fifo.toml" and words[0] in ("plan", "fleet", "upgrade", "compare"):
        pytest.skip("`plan <(...)` is usual: these wait for a pipe, for a time")
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "deep.toml").write_bytes(b"a=" + b"[" * 100_000)
    (tmp_path / "deep.json").write_bytes(b"[" * 100_000)
    (tmp_path / "dots.toml").write_bytes(b"a" + b".a" * 20_000 + b"=1")
    begun = time.process_time()
    answer = run(tuple(w.format(path) for w in words), "utf-8")
    assert crashed(tmp_path) == ""
    assert (answer.code, answer.err.count(b"\n")) == (2, 1) or answer.code == 3, answer.err
    assert time.process_time() - begun < 5


MADE = """
import signal, sys, time
from gyakusan.serving.access import grant_access
for name in ("SIGHUP", "SIGQUIT"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
access = grant_access("192.0.2.1", 8080, None)
print(access.path, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGHUP", "SIGQUIT", "SIGKILL", "SIGTERM"])
def test_f12_a_key_file_never_stays(name: str, tmp_path: Path) -> None:
    """F12: the file with the key stayed after SIGHUP, SIGQUIT, SIGKILL and a closed terminal, which sends the first."""
    process = subprocess.Popen([sys.executable, "-c", MADE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as told:
        path = Path(told.readline().strip())
        assert path.is_relative_to(tmp_path)
        assert path.exists()
        process.send_signal(getattr(signal, name))
        process.wait(20)
    until = time.monotonic() + 20
    while path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not path.exists()


@pytest.mark.parametrize("columns", ["", "40", "80"])
def test_f13_a_printed_command_is_pasted(columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F13: the command was wrapped at 80 columns, also into a pipe, and its second line was a command of its own."""
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    (tmp_path / "a model; touch owned.gguf").write_bytes(tiny.gguf())
    answer = run(("serve", "a model; touch owned.gguf", "--dry-run", "--context", "2048", "--kv-type", "q8_0"), "utf-8")
    assert answer.code == 0
    lines = answer.out.decode().splitlines()
    end = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
    text = "\n".join(lines[: end + 1])
    assert max(map(len, text.splitlines())) <= 140
    script = "llama-server() { printf '%s\\n' \"$@\"; }\n" + text
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.stderr == ""
    words = ran.stdout.splitlines()
    assert str(tmp_path / "a model; touch owned.gguf") in words
    assert words[words.index("--ctx-size") + 1] == "2048"
    assert not (tmp_path / "owned.gguf").exists()


@pytest.mark.parametrize("port", ["99999", "0", "65536", "-1", "x"])
def test_f14_a_port_that_is_none(port: str) -> None:
    """F14: port 99999 was tried, as another one."""
    answer = run(("inspect", f"http://127.0.0.1:{port}/x.gguf"), "utf-8")
    assert answer.code == 2, answer.err
    assert b"web address was expected" in answer.err


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "nothing"])
def test_f14_a_part_that_is_no_file(kind: str, tmp_path: Path) -> None:
    """F14: a part that is a pipe or a device "is missing"."""
    (tmp_path / "m-00001-of-00002.gguf").write_bytes(tiny.split("Q4_K_M")[0])
    other = tmp_path / "m-00002-of-00002.gguf"
    if kind == "fifo":
        os.mkfifo(other)
    elif kind == "device":
        other.symlink_to("/dev/zero")
    elif kind == "folder":
        other.mkdir()
    answer = run(("inspect", "m-00001-of-00002.gguf"), "utf-8")
    said = {"folder": b"is a folder, not a file", "nothing": b"Part 2 of 2 is missing"}.get(
        kind, b"is not a regular file"
    )
    assert answer.code == 2
    assert said in answer.err
