"""A clock over a whole web request: a server that sends one byte a second never trips a read timeout."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from threading import Timer
from time import monotonic
from typing import Any, Self

Check = Callable[[str], None]
"""Called with the address of a new connection before anything is sent; raises to refuse it."""


class Watch:
    """The time limit of a whole source. Inside `with` the clock runs; when it ends, open connections are cut [s]."""

    __slots__ = ("_began", "_sockets", "_timer", "check", "expired", "left", "patience")

    def __init__(self, patience: float) -> None:
        self.patience = self.left = patience
        self.expired = False
        self.check: Check | None = None
        self._sockets: list[socket.socket] = []
        self._began = 0.0
        self._timer: Timer | None = None

    def __enter__(self) -> Self:
        self._began = monotonic()
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
