"""Keeps one server and ends it when the process that asked for it goes away. Runs as a script; standard library only.

It reads one line of JSON from standard input: {"argv": [...], "environment": {...}, "input": "..."}, starts that
program, and watches standard input: its end means that the parent has stopped, crashed or been killed. Threads
inside a server that loads a model may be blocked for minutes, so the watch lives in a process of its own.
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

GRACE = 4.0
"""How long the server may take to end after SIGTERM. [s]"""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """What the child runs before exec so that it dies with this process, even by SIGKILL. Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None).prctl
        return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return None


def start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The server that `order` asks for, with its input written."""
    # preexec_fn is safe here: no thread has been started yet.
    child = subprocess.Popen(
        order["argv"],
        env=order["environment"],
        stdin=subprocess.PIPE,
        preexec_fn=die_with_parent(),  # noqa: PLW1509
    )
    assert child.stdin is not None
    with contextlib.suppress(OSError):
        child.stdin.write(order["input"].encode())
        child.stdin.close()
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL after GRACE."""
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()


def _when_parent_goes(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    end(child)


def main() -> int:
    """Exit status of the server; 128 + n if signal n ended it."""
    asked = threading.Event()
    children: list[subprocess.Popen[bytes]] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        for child in children:
            threading.Thread(target=end, args=(child,), daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return 1
        line += piece
    children.append(start(json.loads(line)))
    if asked.is_set():
        end(children[0])
    print(f"guard: server pid {children[0].pid}", file=sys.stderr, flush=True)
    threading.Thread(target=_when_parent_goes, args=(children[0],), daemon=True).start()
    code = children[0].wait()
    print(f"guard: server ended with {code}", file=sys.stderr, flush=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"guard: cannot start: {error}")
