"""What a process and its children hold."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from gyakusan import posix
from gyakusan.serving import process_memory
from gyakusan.serving.process_memory import family, processor_seconds, resident_bytes

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


WORKER = "x = 0\nwhile True: x += 1"


def test_processor_time_of_children_counts() -> None:
    """A server may compute in a child: its own process sleeps meanwhile."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORKER!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], start_new_session=True) as process:
        try:
            end = time.monotonic() + 20.0
            while (processor_seconds(process.pid) or 0.0) < 0.5 and time.monotonic() < end:
                time.sleep(0.05)
            own, every = posix.processor_seconds(process.pid), processor_seconds(process.pid)
        finally:
            posix.kill_group(process.pid)
    assert own is None or (every is not None and every >= 0.5 > own)
    assert processor_seconds(2**22 + 5) is None


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
