"""The model server behind the front: where it listens now, its key, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from gyakusan.serving.front.refusal import JSON_TYPE, Headers, Refusal

CONNECT = 5.0
"""How long the server may take to accept a connection. [s]"""


@dataclass(frozen=True, slots=True)
class Target:
    """A model server.

    url: scheme, address and port
    key: that the server asks for; only the front knows it
    """

    url: str
    key: str | None = field(default=None, repr=False)


class Upstream:
    """A client for the model server, for one event loop."""

    def __init__(self) -> None:
        self.target: Target | None = None
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=16)
        timeout = httpx2.Timeout(None, connect=CONNECT)
        self._client = httpx2.AsyncClient(limits=limits, timeout=timeout, trust_env=False, follow_redirects=False)

    @asynccontextmanager
    async def ask(self, method: str, path: str, body: bytes) -> AsyncIterator[httpx2.Response]:
        """Send a request and yield the answer, whose body is still to come. Raises Refusal if there is no server now."""
        target = self.target
        if target is None:
            raise away()
        headers: Headers = [(b"content-type", JSON_TYPE)] if body else []
        if target.key is not None:
            headers.append((b"authorization", b"Bearer " + target.key.encode()))
        response = await self._sent(method, target.url + path, body, headers)
        try:
            yield response
        finally:
            await response.aclose()

    async def _sent(self, method: str, url: str, body: bytes, headers: Headers) -> httpx2.Response:
        """Return the head of an answer.

        A server may close a connection that it has just used, at the moment of the next request (llama-server's router does):
        what was cut off without a word is sent once more. A server that has ended does not accept the second connection.
        """
        try:
            return await self._once(method, url, body, headers)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            return await self._once(method, url, body, headers)

    async def _once(self, method: str, url: str, body: bytes, headers: Headers) -> httpx2.Response:
        try:
            request = self._client.build_request(method, url, content=body, headers=headers)
            return await self._client.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise away() from None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def away() -> Refusal:
    """Return the refusal while the model server starts again."""
    return Refusal(503, "starting", "The server is still loading the model. Ask again in a few seconds.", retry=5)
