"""Keeps one server and ends it when the process that asked for it goes away. Runs as a script; standard library only.

It reads one line of JSON from standard input: {"argv": [...], "environment": {...}, "input": "...", "grace": 4.0}
(grace: how long the server may take to end after SIGTERM [s]; with "hold": true its own input stays open until its end),
starts that program, and watches standard input: its end means that the parent has stopped, crashed or been killed.
Threads inside a server that loads a model may be blocked for minutes (xllamacpp holds Python's lock meanwhile), so the
watch lives in a process of its own.

The line {"remove": ["FILE", ...]} starts no server: the files are removed when the parent goes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def preparation() -> Callable[[], None]:
    """Return what the child runs before exec: signals reach it, and on Linux it dies with this process."""
    prctl: Callable[..., object] | None = None
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return prepare


def start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the server that `order` describes, and write its input."""
    # preexec_fn is safe here: no thread has been started yet.
    child = subprocess.Popen(
        order["argv"],
        env=order["environment"],
        stdin=subprocess.PIPE,
        preexec_fn=preparation(),  # noqa: PLW1509
    )
    assert child.stdin is not None
    with contextlib.suppress(OSError):
        child.stdin.write(order["input"].encode())
        child.stdin.flush()
        if not order.get("hold"):
            child.stdin.close()
    return child


def end(child: subprocess.Popen[bytes], grace: float) -> None:
    """Send SIGTERM, then SIGKILL after `grace` [s]."""
    child.terminate()
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()


def _when_parent_goes(child: subprocess.Popen[bytes], grace: float, gone: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    gone.set()
    end(child, grace)


def _tell(text: str) -> None:
    """Print a line for the parent, who may be gone."""
    with contextlib.suppress(OSError):
        print(f"guard: {text}", file=sys.stderr, flush=True)


def _order() -> dict[str, Any] | None:
    """Return what the parent asks for, None if it went away."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return None
        line += piece
    found: dict[str, Any] = json.loads(line)
    return found


def remove(files: list[str]) -> int:
    """Wait until the parent goes, and remove its files."""
    for number in (*_SIGNALS, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    for file in files:
        with contextlib.suppress(OSError):
            os.unlink(file)
    return 0


def main() -> int:
    """Return the exit status of the server, 128 + n if signal n ended it."""
    order: dict[str, Any] | None = None
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: FrameType | None) -> None:
        if order is None or child is None:
            sys.exit(128 + number)
        threading.Thread(target=end, args=(child, order["grace"]), daemon=True).start()

    for number in _SIGNALS:
        signal.signal(number, stop)
    order = _order()
    if order is None:
        return 1
    if "remove" in order:
        return remove(order["remove"])
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    gone = threading.Event()
    child = start(order)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    _tell(f"server pid {child.pid}")
    threading.Thread(target=_when_parent_goes, args=(child, order["grace"], gone), daemon=True).start()
    code = child.wait()
    _tell(f"server ended with {code}")
    if gone.is_set():  # nobody else is left to end what the server itself started
        os.killpg(0, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"guard: cannot start: {error}")
