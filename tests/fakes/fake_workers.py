"""Puts the fake ssh and the fake RPC worker on PATH under the names of the real programs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def program(folder: Path, name: str, fake: str) -> Path:
    """A program of this name that runs a copy of a fake, so that its processes are those of one test."""
    file = folder / name
    shutil.copy(HERE / fake, folder / fake)
    file.write_text(f'#!/bin/sh\nexec {sys.executable} {folder / fake} "$@"\n')
    file.chmod(0o755)
    return file


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, *, worker: bool = True) -> Path:
    """The folder on PATH with the fake ssh, and with the fake worker."""
    folder.mkdir(exist_ok=True)
    program(folder, "ssh", "fake_ssh.py")
    if worker:
        program(folder, "ggml-rpc-server", "fake_rpc_worker.py")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def processes(text: str | Path) -> list[int]:
    """Numbers of the processes whose command has a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(text) in words and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found
