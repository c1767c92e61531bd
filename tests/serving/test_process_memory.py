"""What a process and its children hold."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gyakusan.serving import process_memory
from gyakusan.serving.process_memory import family, resident_bytes

HOLDER = "import subprocess, sys; held = b'1' * 60_000_000; print(1, flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDER!r}])"


def test_children_count() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.read(1)
        held = resident_bytes(process.pid)
        process.stdin.close()
    assert held is not None
    assert 60_000_000 < held < 120_000_000


def test_a_family() -> None:
    assert family(1, {2: 1, 3: 2, 4: 9, 1: 1}) == (1, 2, 3)


def test_a_system_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_memory.os.path, "isdir", lambda path: False)
    own = resident_bytes(os.getpid())
    monkeypatch.setattr(process_memory, "_ps", lambda *words: "")
    assert resident_bytes(os.getpid()) is None
    if os.path.exists("/bin/ps"):
        assert own is not None
        assert own > 1e6


def test_nothing_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_memory.os.path, "isdir", lambda path: False)

    def absent(*words: object, **options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(process_memory.subprocess, "run", absent)
    assert resident_bytes(1) is None
