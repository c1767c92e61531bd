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


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    assert "complete -o default" in capsys.readouterr().out
    assert main(["completion", "csh"]) == 2
