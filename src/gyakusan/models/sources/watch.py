"""A clock over a whole web request: a server that sends one byte a second never trips a read timeout."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from threading import Timer
from time import monotonic
from typing import Any, Self

PATIENCE = 120.0
"""Longest time for all files of a model. [s]"""
Check = Callable[[str], None]
"""Called with the address of a new connection before anything is sent; raises to refuse it."""


class Clock:
    """One time limit for all files of a model. It runs from the first look at it on.

    limit: longest time in all [s]
    """

    __slots__ = ("_until", "limit")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._until: float | None = None

    @property
    def left(self) -> float:
        """Return the time that is left [s]."""
        if self._until is None:
            self._until = monotonic() + self.limit
        return self._until - monotonic()


class Watch:
    """The time limit of a whole source. Inside `with` the clock runs; when it ends, open connections are cut.

    patience: longest time inside `with` [s], or a clock that runs on between
    """

    __slots__ = ("_began", "_sockets", "_timer", "check", "clock", "expired", "left", "patience")

    def __init__(self, patience: float | Clock) -> None:
        self.clock = patience if isinstance(patience, Clock) else None
        self.patience = self.left = patience.limit if isinstance(patience, Clock) else patience
        self.expired = False
        self.check: Check | None = None
        self._sockets: list[socket.socket] = []
        self._began = 0.0
        self._timer: Timer | None = None

    def __enter__(self) -> Self:
        self._began = monotonic()
        if self.clock is not None:
            self.left = self.clock.left
        self._timer = Timer(max(self.left, 0.0), self._cut)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.left -= monotonic() - self._began

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember each new connection and check where it leads: a trace hook of httpcore2."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        stream = info["return_value"]
        found = stream.get_extra_info("socket")
        if isinstance(found, socket.socket):
            self._sockets = [s for s in self._sockets if s.fileno() >= 0] + [found]
        if self.check is not None and event.endswith("connect_tcp.complete"):
            try:
                self.check(str(stream.get_extra_info("server_addr")[0]))
            except BaseException:
                stream.close()
                raise
        if self.expired:
            self._cut()

    def _cut(self) -> None:
        self.expired = True
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
