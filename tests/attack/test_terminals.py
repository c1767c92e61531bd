"""F3, F8: every command on every terminal: encodings, widths, a dumb one, a full disk, a closed pipe. No traceback, no report."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.attack_cases.guard import crashed
from tests.attack.terminals import CHEAP, Answer, commands, home, run

from gyakusan.cli import app

COMMANDS = commands()
TERMINALS = {
    "cp932": ("cp932", "ja", {"COLUMNS": "0"}),
    "latin-1": ("latin-1", "en", {"COLUMNS": "1"}),
    "ascii, dumb": ("ascii", "ja", {"TERM": "dumb", "COLUMNS": "x"}),
    "euc-jp": ("euc_jp", "ja", {"COLUMNS": "-1"}),
}
"""Encoding of stdout and stderr, language, variables."""
DRAWN = re.compile(r"\\u25[0-9a-f]{2}|[\u2500-\u259f]")
"""A bar or a frame: as the code of what the encoding has not, or as it is."""
SLOW = {"catalog check"}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home(tmp_path, monkeypatch)


def words_of(command: str) -> tuple[str, ...]:
    """A command that answers soon, or that names an option it has not."""
    return (*command.split(), *CHEAP.get(command, ("--no-such-option",)))


def sound(answer: Answer, encoding: str, folder: Path) -> str:
    """Return what stands on stdout, after a look at what may never happen."""
    assert crashed(folder) == ""
    assert 0 <= answer.code <= 3
    out, err = answer.out.decode(encoding), answer.err.decode(encoding)
    assert "Traceback" not in out + err
    return out


def test_the_commands_are_those_of_the_program() -> None:
    assert set(app.COMMANDS) <= set(COMMANDS)
    assert "catalog list" in COMMANDS
    assert CHEAP.keys() <= set(COMMANDS), "a command has gone"


@pytest.mark.parametrize("kind", TERMINALS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words or "gyakusan")
def test_encodings_and_widths(command: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F3: inspect in Japanese on cp932 was a UnicodeEncodeError; COLUMNS=0 --help a ValueError."""
    encoding, language, variables = TERMINALS[kind]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    help_ = run((*command.split(), "--help", "--lang", language), encoding)
    text = sound(help_, encoding, tmp_path)
    assert help_.code == 0
    assert text.strip()
    assert encoding in ("cp932", "euc_jp") or not DRAWN.search(text), "these two have lines, but no bars"
    answer = run((*words_of(command), "--lang", language), encoding)
    text = sound(answer, encoding, tmp_path)
    assert not DRAWN.search(text)
    assert answer.code in ((0, 1, 2, 3) if command in CHEAP else (2,))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words or "gyakusan")
def test_a_full_disk_behind_stdout(command: str, tmp_path: Path) -> None:
    """F8: stdout on a full disk was an OSError, also for --version."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        answer = run((*command.split(), "--help"), "utf-8", full)
    sound(answer, "utf-8", tmp_path)
    assert answer.code == 3
    assert answer.err.decode() == f"gyakusan: The answer cannot be written: {os.strerror(errno.ENOSPC)}.\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words or "gyakusan")
def test_a_reader_who_goes(command: str, tmp_path: Path) -> None:
    """What `| head -1` does: the answer goes nowhere, and nothing is said."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as gone:
        answer = run((*command.split(), "--help"), "utf-8", gone)
    sound(answer, "utf-8", tmp_path)
    assert (answer.code, answer.err) == (0, b"")


SHELL = {
    "head": ("{} inspect gpt-oss-20b --device 'RTX 4090' | head -1", 0, ""),
    "full": ("{} ps >/dev/full", 3, "cannot be written: No space left on device."),
    "full version": ("{} --version >/dev/full", 3, "cannot be written: No space left on device."),
    "full json": ("{} ps --json >/dev/full", 3, "cannot be written: No space left on device."),
    "closed stdout": ("{} ps >&-", 3, "cannot be written: Bad file descriptor."),
    "closed stderr": ("{} inspect nosuch 2>&-", 2, ""),
    "closed stdin": ("{} inspect gpt-oss-20b --device 'RTX 4090' --json <&- >/dev/null", 0, ""),
    "all closed": ("{} inspect nosuch <&- >&- 2>&-", 3, ""),
}


@pytest.mark.skipif(shutil.which("bash") is None or not Path("/dev/full").exists(), reason="needs bash and /dev/full")
@pytest.mark.parametrize("kind", SHELL)
def test_in_a_shell(kind: str, tmp_path: Path) -> None:
    """The same with real processes, whose streams may be closed before they begin."""
    line, code, said = SHELL[kind]
    program = f"{sys.executable} -P -m gyakusan"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.format(program)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.returncode, crashed(tmp_path)) == (code, "")
    assert (said in ran.stderr) if said else ran.stderr == ""


def test_a_locale_of_japan(tmp_path: Path) -> None:
    """F3: with ja_JP.eucJP each drawn answer was a UnicodeEncodeError."""
    made = tmp_path / "locales" / "ja_JP.eucJP"
    made.parent.mkdir()
    if shutil.which("localedef") is None:
        pytest.skip("needs localedef")
    told = ["localedef", "-i", "ja_JP", "-f", "EUC-JP", str(made)]
    if subprocess.run(told, capture_output=True, check=False).returncode or not made.exists():
        pytest.skip("needs the source of the locale ja_JP")
    environment = {**os.environ, "LOCPATH": str(made.parent), "LC_ALL": "ja_JP.eucJP"}
    command = [sys.executable, "-P", "-m", "gyakusan", "inspect", "gpt-oss-20b", "--device", "RTX 4090"]
    ran = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "収まります。" in ran.stdout.decode("euc_jp")
    assert crashed(tmp_path) == ""
