"""HTTP connections with a time limit for request heads, and a table that a flood cannot fill.

uvicorn has no limit for the time of a head; `Config(http=...)` takes a protocol class of one's own.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

from gyakusan.serving.front.app import ABORT
from gyakusan.serving.front.limits import Limits


class Open(Protocol):
    """A connection in the table."""

    transport: Any

    @property
    def waits(self) -> bool:
        """True while no request is being answered."""


class Table:
    """The open connections, the one that has waited for longest first."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._open: dict[Open, None] = {}

    @property
    def connections(self) -> tuple[Open, ...]:
        """All of them."""
        return tuple(self._open)

    def add(self, connection: Open) -> None:
        """Keep a connection. If there are too many, the oldest that asks for nothing now is closed, else this one."""
        if len(self._open) >= self._largest:
            oldest = next((c for c in self._open if c.waits), None)
            if oldest is None:
                connection.transport.abort()
                return
            self.drop(oldest)
            oldest.transport.abort()
        self._open[connection] = None

    def again(self, connection: Open) -> None:
        """Note that a connection has been used: it is the youngest now."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def drop(self, connection: Open) -> None:
        """Forget a connection."""
        self._open.pop(connection, None)


class Connection(H11Protocol):
    """One connection. `kind` makes the class for one front."""

    limits: Limits
    table: Table
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    def kind(cls, limits: Limits) -> type[Connection]:
        """Return the class of a front's connections: uvicorn makes them itself, so limits and table belong to a class."""
        return type("Connection", (cls,), {"limits": limits, "table": Table(limits.connections)})

    @property
    def waits(self) -> bool:
        """True while no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Begin: a head has to come in time."""
        super().connection_made(transport)
        self._arm(self.limits.header_time)
        self.table.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._disarm()
        self.table.drop(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Read what has come. A complete head stops the clock."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self.cycle is not None:
            self._disarm()
            self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required,unused-ignore]
            if self.waits:  # answered already
                self._arm(self.limits.idle_time)

    def on_response_complete(self) -> None:
        """Give the next head its time, idle time included."""
        self._arm(self.limits.idle_time + self.limits.header_time)
        self.table.again(self)
        super().on_response_complete()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
