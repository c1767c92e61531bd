"""Runs questions beside the event loop, so many at once and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from gyakusan.web.problems import Busy

T = TypeVar("T")
AT_ONCE, MOST_WAITING = 4, 64


class Work:
    """Where questions are answered.

    waiting: questions that are being answered or wait
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, ask: Callable[[], T]) -> T:
        """Return the answer of a question. Raises Busy where too many wait, and what the question raises."""
        if self.waiting >= MOST_WAITING:
            raise Busy("{n} questions are being answered.", n=self.waiting, mend="Ask again in a second.")
        if self._limiter is None:  # it belongs to the event loop, which is there only now
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self.waiting += 1
        try:
            return await anyio.to_thread.run_sync(ask, limiter=self._limiter)
        finally:
            self.waiting -= 1
