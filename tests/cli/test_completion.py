"""The scripts of the shells, in the shells that are here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gyakusan.cli import main
from gyakusan.cli.completion import SCRIPTS

BIN = Path(sys.executable).parent


def script(shell: str, folder: Path) -> Path:
    file = folder / f"gyakusan.{shell}"
    file.write_text(SCRIPTS[shell])
    return file


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_a_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    done = subprocess.run([program, "-n", str(script(shell, tmp_path))], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


BASH_CASES = [
    (["gyakusan", "expo"], ["export"]),
    (["gyakusan", "inspect", "x", "--device", '"RTX 5090 l'], ["RTX 5090 Laptop GPU"]),
    (["gyakusan", "inspect", "x", "--device", "rtx5090l"], [r"RTX\ 5090\ Laptop\ GPU"]),
    (["gyakusan", "inspect", "x", "--device", r"RTX\ 5090\ L"], [r"RTX\ 5090\ Laptop\ GPU"]),
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(("words", "found"), BASH_CASES)
def test_bash_completes(words: list[str], found: list[str], tmp_path: Path) -> None:
    text = f"""source {script("bash", tmp_path)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gyakusan; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    path = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", text, "bash", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=path, check=True)
    assert done.stdout.splitlines() == found


def _replied(words: list[str], answers: str, tmp_path: Path) -> list[str]:
    """What bash would put in the place of the last word, where gyakusan answers so."""
    fake = tmp_path / "gyakusan"
    fake.write_text(f"#!/bin/sh\ncat <<'E'\n{answers}\nE\n" if answers else "#!/bin/sh\n")
    fake.chmod(0o755)
    text = f"""source {script("bash", tmp_path)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gyakusan; for w in "${{COMPREPLY[@]}}"; do printf '%s\\n' "$w"; done
"""
    path = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", text, "bash", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=path, check=True
    ).stdout.splitlines()  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_name_is_never_a_command(tmp_path: Path) -> None:
    hostile = '$(touch owned)`x`"\\'
    opened = _replied(["gyakusan", "inspect", '"$'], hostile, tmp_path)
    assert opened == ['\\$(touch owned)\\`x\\`\\"\\\\']
    bare = _replied(["gyakusan", "inspect", "x"], hostile, tmp_path)[0]
    told = subprocess.run(["bash", "-c", f"printf %s {bare}"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert told.stdout == hostile
    assert not (tmp_path / "owned").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_nothing_takes_the_place_of_a_file(tmp_path: Path) -> None:
    assert _replied(["gyakusan", "inspect", "./com"], "", tmp_path) == []


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert "complete -o default" in capsys.readouterr().out
    assert main(["completion", "csh"]) == 2
