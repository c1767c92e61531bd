"""Kept-alive connections over HTTP/1.1 to one server, with as little work for each byte as Python allows.

httpx2 takes 2.5 ms of CPU for a streamed answer of 16 pieces where 64 people ask at once, which would be measured as the
server's; llhttp (by httptools) under an asyncio protocol takes a tenth of it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httptools
import msgspec

from gyakusan.load_testing.records import FailureKind, RequestFailure
from gyakusan.load_testing.stream import Exchange, printable

CONNECT = 10.0
"""How long a connection may take. [s]"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go.

    host: name or address
    port: port
    path: of the chat completions
    tls: True for https
    key: bearer token, None for none
    """

    host: str
    port: int
    path: str
    tls: bool = False
    key: str | None = field(default=None, repr=False)

    @property
    def head(self) -> bytes:
        """The request without its length and its body."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {name}:{self.port}", "Content-Type: application/json"]
        lines += ["Accept: text/event-stream", "Accept-Encoding: identity", "User-Agent: gyakusan"]
        lines += [f"Authorization: Bearer {self.key}"] if self.key else []
        return "\r\n".join(lines).encode() + b"\r\nContent-Length: "


class CannotConnectError(Exception):
    """No connection. failure: why."""

    def __init__(self, failure: RequestFailure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Connection(asyncio.Protocol):
    """One connection, on which one request is open at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare it; `connect` opens it."""
        self._loop = loop
        self._now = loop.time
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._exchange: Exchange | None = None
        self._came = 0.0
        self.used = False
        self.open = False

    def ask(self, request: bytes) -> Exchange:
        """Send a request and return its exchange, which ends on its own."""
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._exchange = Exchange(self._loop.create_future(), self._now())
        self._transport.write(request)
        return self._exchange

    def close(self) -> None:
        """End it."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio: it is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Of asyncio: bytes came."""
        exchange = self._exchange
        if exchange is None:
            self.close()  # nobody asked
            return
        self._came = exchange.heard = self._now()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken("the server changes the protocol")
        except httptools.HttpParserError:
            self._broken("not HTTP")

    def eof_received(self) -> None:
        """Of asyncio: the server sends no more. An answer without a length ends so."""
        self.open = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio: it is gone."""
        self.open = False
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.status not in (0, 200) or exchange.finished or exchange.finish:
            exchange.complete()  # an answer without a length ends so
        exchange.fail("cut", "" if exc is None else str(exc))
        self._exchange = None

    def on_headers_complete(self) -> None:
        """Of the parser: the status is known."""
        if self._exchange is not None:
            self._exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Of the parser: bytes of the body."""
        if self._exchange is not None:
            self._exchange.body(body, self._came)

    def on_message_complete(self) -> None:
        """Of the parser: the answer has ended."""
        exchange, self._exchange = self._exchange, None
        self.open = self.open and bool(self._parser.should_keep_alive())
        self.used = True
        if exchange is not None:
            exchange.complete()

    def _broken(self, detail: str) -> None:
        if self._exchange is not None:
            self._exchange.fail("garbage", detail)
        self._exchange = None
        self.close()


async def connect(target: Target, *, timeout: float = CONNECT) -> Connection:
    """Open a connection. Raises CannotConnectError."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context() if target.tls else None
    try:
        async with asyncio.timeout(timeout):
            _, made = await loop.create_connection(lambda: Connection(loop), target.host, target.port, ssl=context)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise CannotConnectError(_no_connection(error)) from error
    return made


def request(head: bytes, body: Mapping[str, object]) -> bytes:
    """Return the bytes of a request. head: of the target."""
    text = msgspec.json.encode(body)
    return b"%b%d\r\n\r\n%b" % (head, len(text), text)


def _no_connection(error: Exception) -> RequestFailure:
    """Return why there is no connection."""
    kinds: tuple[tuple[type[Exception], FailureKind], ...] = (
        (ConnectionRefusedError, "refused"),
        (TimeoutError, "connect_timeout"),
        (socket.gaierror, "unknown_host"),
        (UnicodeError, "unknown_host"),
        (ssl.SSLError, "tls"),
        (ssl.CertificateError, "tls"),
    )
    kind: FailureKind = next((k for made, k in kinds if isinstance(error, made)), "unreachable")
    return RequestFailure(kind, 0, printable(str(error)))
