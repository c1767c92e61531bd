"""What a running server does now: a small file NAME.live beside its entry, which its own process writes when it changes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from gyakusan.catalog.places import write_private
from gyakusan.doors import files
from gyakusan.errors import GyakusanError

LARGEST = 10_000
"""No more is read of a file. [B]"""
EVERY = 2.0
"""Time between two looks where nothing changes: memory and speed do. [s]"""
SOON = 0.1
"""Time between two looks while much changes. [s]"""
WINDOW = 15.0
"""Over which tokens per second are counted. [s]"""


class Live(Struct, frozen=True, kw_only=True):
    """What a server does now.

    written: when, as seconds since 1970 [s]
    answering: requests that are answered now
    waiting: requests that wait for a slot
    requests: that were passed on since the start
    refusals: that were not
    tokens: of prompts and answers since the start, of a stream while it comes, of others at their end
    unstreamed: requests that are answered now and come as a whole: their tokens count at their end
    tokens_per_second: of these, in the last seconds [tokens/s]
    restarts: starts in the place of a server that ended or stalled
    starting: True while one is started in the place of another
    resident: RAM that its processes hold, None where the system does not tell [B]
    """

    written: float = 0.0
    answering: int = 0
    waiting: int = 0
    requests: int = 0
    refusals: int = 0
    tokens: int = 0
    tokens_per_second: float = 0.0
    restarts: int = 0
    starting: bool = False
    resident: int | None = None
    unstreamed: int = 0


class Rate:
    """Tokens per second over the last seconds."""

    def __init__(self, window: float = WINDOW, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, tokens: int) -> float:
        """Return the rate, given the tokens so far."""
        now = self._clock()
        self._seen.append((now, tokens))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()
        begun, before = self._seen[0]
        return (tokens - before) / (now - begun) if now > begun else 0.0


class Teller:
    """Writes what a server does, from its making to `end`, in a thread of its own."""

    def __init__(self, path: Path, look: Callable[[], Live]) -> None:
        """Begin. look: returns what the server does now."""
        self._path = path
        self._look = look
        self._over = threading.Event()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="live", daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Look soon: somebody may ask what happened a moment ago. From any thread, and at once back."""
        self._changed.set()

    def end(self) -> None:
        """Write no more, and remove the file."""
        self._over.set()
        self._changed.set()
        if self._thread is not threading.current_thread():
            self._thread.join(5.0)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _tell(self) -> None:
        while not self._over.is_set():
            self._changed.clear()
            found = self._look()
            with contextlib.suppress(OSError):  # a full disk is no reason to end
                write_private(self._path, msgspec.json.encode(found).decode())
            if not self._over.wait(SOON):
                self._changed.wait(EVERY - SOON)


def read_live(path: Path) -> Live | None:
    """Return what a server did last, None if nobody wrote it down or it is old."""
    try:
        found = msgspec.json.decode(files.whole(path, LARGEST), type=Live)
    except (GyakusanError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if abs(time.time() - found.written) < 10 * EVERY else None
