"""Whether a server still works: it is asked for a real token, as /health answers while nothing else does.

It is asked only when it has been quiet: a server that answers people proves itself.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gyakusan.serving.front.upstream import Target
from gyakusan.serving.one_token import ask_for_token
from gyakusan.serving.process_memory import processor_seconds


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may be silent.

    quiet: without any sign of work; then it is asked for a token [s]
    asleep: after it was asked, while it uses no processor time [s]
    busy: after it was asked, while it uses processor time: a long prompt on a slow computer [s]
    """

    quiet: float = 60.0
    asleep: float = 60.0
    busy: float = 900.0


AWAKE = 0.02
"""A server that uses less processor time than this is asleep. [share of one core]"""

AGAIN = 5.0
"""Time between two questions to a server that refuses them. [s]"""


class Watchdog:
    """Watches one server. `look` is called a few times a second."""

    def __init__(self, target: Target, pid: int | None, patience: Patience, ask: Callable[[Target], bool]) -> None:
        """Begin. ask: asks a server for one token; True if there was one."""
        self._target = target
        self._pid = pid
        self._patience = patience
        self._ask = ask
        self._last = time.monotonic()
        self._asked: float | None = None
        self._used = 0.0
        self._probe: threading.Thread | None = None
        self._next = 0.0

    def look(self, seen: float, *, busy: bool) -> bool:
        """Return True if the server is stalled. seen: its last sign of work; busy: people wait for it."""
        now = time.monotonic()
        if seen > self._last:
            self._last, self._asked = seen, None
        probing = self._probe is not None and self._probe.is_alive()
        if not probing and not busy and now - self._last < self._patience.quiet:
            self._asked = None
            return False
        if not probing and now - self._last >= self._patience.quiet and now >= self._next:
            self._next = now + min(AGAIN, self._patience.quiet)
            self._probe = threading.Thread(target=self._try, name="watchdog", daemon=True)
            self._probe.start()
        asked = self._asked  # read once: the probe's thread may forget it meanwhile
        if asked is None:
            asked = self._asked = now
            self._used = self._processor()
        waited = now - max(asked, self._last)
        return waited > self._limit(waited)

    def _limit(self, waited: float) -> float:
        """Return how long the server may be silent, by what it does meanwhile [s]."""
        used = self._processor() - self._used
        return self._patience.busy if used > AWAKE * waited else self._patience.asleep

    def _processor(self) -> float:
        found = None if self._pid is None else processor_seconds(self._pid)
        return time.monotonic() if found is None else found  # a system that does not tell: taken as busy

    def _try(self) -> None:
        if self._ask(self._target):
            self._last, self._asked = time.monotonic(), None


def one_token(target: Target, seconds: float = 3600.0, model: str = "") -> bool:
    """Ask a server for one token of an answer; True if it answers.

    seconds: how long it may take [s]; model: its name there, "" = the server's only one

    A server of embeddings refuses, which it can only do while it works.
    """
    try:
        status, text = ask_for_token(target.url, target.key, seconds, model)
    except (OSError, http.client.HTTPException):
        return False
    return status != http.client.SERVICE_UNAVAILABLE and len(text) > 0
