"""The front while it runs: a socket, and an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

import uvicorn

from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving.front.app import App, Traffic
from gyakusan.serving.front.encrypted import Handshake
from gyakusan.serving.front.heads import Names
from gyakusan.serving.front.keys import Keys
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.protocol import Connection, Open
from gyakusan.serving.front.upstream import Target

BACKLOG = 1024
"""Connections that the system keeps until they are accepted."""
_END = 2
"""How long answers may go on when the front ends. [s]"""


class Front:
    """A front on an address and a port, from `start` to `stop`."""

    def __init__(
        self,
        host: str,
        port: int,
        keys: Keys,
        limits: Limits,
        names: tuple[str, ...] = (),
        models: Mapping[str, int] = MappingProxyType({}),
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Take the port. models: as App takes them; context: to encrypt with, None for connections in clear.

        An encrypted front has a second port, in clear, which only this computer reaches: `local_port`.

        Raises BadSetting for an address that is not this computer's, ServerError for a taken port.
        """
        self._socket = listening(host, port)
        self.port = self.local_port = int(self._socket.getsockname()[1])
        self._sockets = [self._socket]
        if context is not None:
            self._sockets.append(listening("127.0.0.1", 0))
            self.local_port = int(self._sockets[1].getsockname()[1])
        self.app = App(limits, keys, Names(host, names), models)
        kind = Connection.kind(limits)
        self._table = kind.table
        encrypted = None if context is None else Handshake.kind(kind, context, self.local_port)
        self._server = uvicorn.Server(config(self.app, encrypted or kind, limits))
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)

    def start(self) -> None:
        """Begin to answer; without a target, that the server is starting."""
        self._thread.start()

    def stop(self) -> None:
        """End. Safe at any time, any number of times."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_END + 3.0)
            self._server.force_exit = True
            self._thread.join(2.0)
        for one in self._sockets:
            one.close()

    def point(self, target: Target | None) -> None:
        """Pass requests on to a server from now on, None while there is none."""
        self.app.upstream.target = target

    @property
    def traffic(self) -> Traffic:
        """What went through so far."""
        return self.app.traffic

    @property
    def busy(self) -> int:
        """How many requests are being answered."""
        return self.app.slots.held

    @property
    def connections(self) -> tuple[Open, ...]:
        """The open connections."""
        return self._table.connections

    def _run(self) -> None:
        async def serve() -> None:
            await self._server.serve(sockets=self._sockets)
            await self.app.upstream.close()

        with contextlib.suppress(SystemExit):
            asyncio.run(serve())


def config(app: Any, protocol: Callable[..., asyncio.Protocol], limits: Limits) -> uvicorn.Config:
    """Return how uvicorn runs an application behind connections of ours: no log, no header of its own."""
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(limits.idle_time) + 1,
        timeout_graceful_shutdown=_END,
        h11_max_incomplete_event_size=limits.header,
    )


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises BadSetting, ServerError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _no_address(host, error) from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        if port and error.errno != errno.EADDRNOTAVAIL:
            raise _taken(host, port, error) from error
        raise _no_address(host, error) from error
    return found


def _taken(host: str, port: int, error: OSError) -> ServerError:
    """Return the error of a port that is in use or forbidden: which server of ours has it, if one has."""
    from gyakusan.serving.running_servers import running

    known = (e for e in running() for url in (e.url, e.local_url) if url and urlsplit(url).port == port)
    if (ours := next(known, None)) is not None:
        return ServerError(
            "{name} runs on port {port} already: {url}", name=ours.name, port=port, url=ours.url,
            mend="Talk to it: gyakusan chat {name}. End it: gyakusan stop {name}. Another one beside it: --port 0",
        )  # fmt: skip
    mend = "Choose another port with --port; --port 0 takes a free one."
    if error.errno == errno.EADDRINUSE:
        return ServerError("Another program listens on port {port} of {host}.", port=port, host=host, mend=mend)
    if error.errno == errno.EACCES:
        return ServerError("This user may not listen on port {port}.", port=port, mend=mend)
    return ServerError(
        "Port {port} on {host} is in use, or this user may not listen on it.", port=port, host=host, mend=mend
    )


def _no_address(host: str, error: OSError | UnicodeError) -> BadSetting:
    return BadSetting(
        "This computer cannot listen on {host}: {error}.",
        host=host,
        error=getattr(error, "strerror", None) or "?",
        mend="Give an address of this computer, e.g. 127.0.0.1.",
    )
