"""One replica: a server of its own on the computer where Ray puts it, and every request passed on to it.

Ray's workers import this module; Ray itself is imported by `cluster` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gyakusan.deploying.order import Order, deployed, file_of
from gyakusan.engines.base import EngineSettings
from gyakusan.engines.server import ServerReport
from gyakusan.errors import GyakusanError
from gyakusan.serving.server import Server, ServerOptions

HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one connection: RFC 9110, 7.6.1, RFC 2616, 13.5.1."""
OWN = frozenset({"content-length", "host"})
"""Headers that each connection writes anew."""
ATTEMPTS = 2
"""How often a request is sent: once more where the server had ended before it answered anything."""

PATIENCE, LOOK = 5.0, 0.1
"""How long a server may take no connection before it counts as ended, and how often it is looked at. [s]"""


class Replica:
    """Starts the ordered server, asks it, starts it again where it has ended, and ends it."""

    def __init__(self, order: Order) -> None:
        """Start the server and wait until it answers. Raises GyakusanError, which Ray shows as the replica's state."""
        self._order = order
        self._server = self._started()
        self._session: Any = None
        self._mending = asyncio.Lock()

    def check_health(self) -> None:
        """Raise ServerError where the server has ended and no request is starting it again: Ray then replaces the replica."""
        if not self._mending.locked():
            self._server.check()

    async def __call__(self, request: Request) -> Response:
        """Return the server's answer, in pieces as they come; 502 where it breaks off before its head."""
        import aiohttp

        if self._session is None:
            # no limit of its own: Ray sends as many requests at once as the plan has people; bodies go on as they came
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        heads = {k: v for k, v in request.headers.items() if k.lower() not in HOP | OWN}
        path = request.url.path.removeprefix(request.scope.get("root_path", "")) or "/"
        path += f"?{request.url.query}" if request.url.query else ""
        body = await request.body()
        for _ in range(ATTEMPTS):
            url = self._server.url.removesuffix("/v1") + path
            try:
                answer = await self._session.request(request.method, url, data=body, headers=heads)
            except aiohttp.ClientError:
                if not await self._mended():
                    break
                continue
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP | OWN}
            return StreamingResponse(_pieces(answer), answer.status, kept)
        return JSONResponse({"error": {"message": "The model server does not answer.", "type": "server"}}, 502)

    async def _mended(self) -> bool:
        """Start the server again where it has ended; False where that fails."""
        async with self._mending:
            if await self._answers():
                return True
            try:
                self._server = await asyncio.to_thread(self._started_again)
            except GyakusanError:
                return False
            return True

    async def _answers(self) -> bool:
        """Return True once the server takes connections; False where it has ended, which its guard tells a little later."""
        place = urlsplit(self._server.url)
        for _ in range(round(PATIENCE / LOOK)):
            if not self._server.alive:
                return False
            try:
                _, writer = await asyncio.open_connection(place.hostname, place.port)
            except OSError:
                await asyncio.sleep(LOOK)
                continue
            writer.close()
            return True
        return False

    def _started(self) -> Server[EngineSettings, ServerReport]:
        asked = deployed(self._order)
        return Server.of(asked, ServerOptions(alias=self._order.model), file_of(asked, self._order)).start()

    def _started_again(self) -> Server[EngineSettings, ServerReport]:
        self._server.stop()
        return self._started()

    def __del__(self) -> None:
        """End the server with the replica."""
        server = getattr(self, "_server", None)
        if server is not None:
            server.stop()


async def _pieces(answer: Any) -> AsyncIterator[bytes]:
    """Yield an answer as it comes; a reader that hangs up closes the connection, and the server stops."""
    try:
        async for piece in answer.content.iter_any():
            yield piece
    finally:
        answer.close()
