"""Connections that begin with a TLS handshake: until it is done they stand in the table, and have the time of a head.

uvicorn's own TLS shakes hands before there is a protocol, for up to 60 s, so that a flood of strangers would stand in no table.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, cast

from gyakusan.serving.front.protocol import Connection

EARLY = 64 * 1024
"""No more arrives before the connection is handed over. [B]"""


class Handshake(asyncio.Protocol):
    """The time before a connection is encrypted; then the connection takes its place."""

    waits = True

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._context = context
        self._early = b""
        self._lost = False
        self._task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport

    @classmethod
    def kind(
        cls, connections: type[Connection], context: ssl.SSLContext, plain: int
    ) -> Callable[..., asyncio.Protocol]:
        """Return what makes the protocol of each connection. plain: port of this computer that is not encrypted."""

        def make(**options: Any) -> asyncio.Protocol:
            connection = connections(**options)
            return _Either(connection, cls(connection, context), plain)

        return make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake; nothing is read in clear."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()
        self._connection.table.add(self)
        self._task = asyncio.get_running_loop().create_task(self._shake(self.transport))

    def data_received(self, data: bytes) -> None:
        """Keep what comes with the end of the handshake."""
        self._early += data
        if len(self._early) > EARLY:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing is left to be handed over."""
        self._lost = True
        self._connection.table.drop(self)

    async def _shake(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        limit = self._connection.limits.header_time
        secured = None
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            secured = await loop.start_tls(
                transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=limit,
                ssl_shutdown_timeout=limit,
            )
        self._connection.table.drop(self)
        if secured is None or self._lost:
            transport.abort()
            return
        secured.set_protocol(self._connection)
        self._connection.connection_made(secured)
        if self._early:
            self._connection.data_received(self._early)


class _Either(asyncio.Protocol):
    """A connection whose port says whether it is encrypted."""

    def __init__(self, connection: Connection, handshake: Handshake, plain: int) -> None:
        self._connection, self._handshake, self._plain = connection, handshake, plain

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection on."""
        port = (transport.get_extra_info("sockname") or ("", 0))[1]
        chosen: asyncio.Protocol = self._connection if port == self._plain else self._handshake
        cast(asyncio.Transport, transport).set_protocol(chosen)
        chosen.connection_made(transport)
