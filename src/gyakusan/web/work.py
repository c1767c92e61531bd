"""Runs questions beside the event loop: quick ones never wait for slow ones, and one client has its share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from gyakusan.web.problems import Busy

T = TypeVar("T")
HEAVY_AT_ONCE, LIGHT_AT_ONCE = 2, 4
MOST_WAITING, MOST_OF_ONE = 32, 8
"""Slow questions that are answered or wait, of everybody and of one client; beyond them one is told to ask again."""


def client_of(request: Request) -> str:
    """Return the address of who asks."""
    return request.client.host if request.client else ""


class Work:
    """Where questions are answered.

    waiting: slow questions of each client that are being answered or wait
    """

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()
        self._limiters: dict[bool, anyio.CapacityLimiter] = {}

    async def run(self, ask: Callable[[], T], *, heavy: bool = False, client: str = "") -> T:
        """Return the answer of a question. Raises Busy where too many wait, and what the question raises."""
        if not heavy:
            return await anyio.to_thread.run_sync(ask, limiter=self._limiter(heavy))
        if self.waiting.total() >= MOST_WAITING or self.waiting[client] >= MOST_OF_ONE:
            raise Busy("{n} questions are being answered.", n=self.waiting.total(), mend="Ask again in a second.")
        self.waiting[client] += 1
        try:
            return await anyio.to_thread.run_sync(ask, limiter=self._limiter(heavy))
        finally:
            self.waiting[client] -= 1
            self.waiting += Counter()  # without clients that wait for nothing

    def _limiter(self, heavy: bool) -> anyio.CapacityLimiter:
        if heavy not in self._limiters:  # it belongs to the event loop, which is there only now
            self._limiters[heavy] = anyio.CapacityLimiter(HEAVY_AT_ONCE if heavy else LIGHT_AT_ONCE)
        return self._limiters[heavy]
