"""Requests and tokens in a minute: one bucket for each client."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MINUTE = 60.0
LARGEST = 4096
"""Clients that are remembered; the one that asked least recently is forgotten, which only gives it a full bucket."""


class Buckets:
    """Buckets that fill evenly within a minute.

    limit: what fills a bucket, 0 for no limit; a client may have another one, which every call names
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._filled: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, client: Hashable, limit: int = 0) -> int:
        """Return how long a client has to wait until there is something in its bucket, 0 if there is [s]."""
        full = limit or self._limit
        return max(0, math.ceil((1.0 - self._level(client, full)) * MINUTE / full)) if full else 0

    def take(self, client: Hashable, amount: float = 1.0, limit: int = 0) -> None:
        """Take from a bucket; it may go below zero, as an answer's tokens are known at its end only."""
        full = limit or self._limit
        if not full:
            return
        self._filled[client] = (self._level(client, full) - amount, self._clock())
        self._filled.move_to_end(client)
        if len(self._filled) > LARGEST:
            self._filled.popitem(last=False)

    def _level(self, client: Hashable, full: int) -> float:
        level, since = self._filled.get(client, (float(full), 0.0))
        return min(float(full), level + (self._clock() - since) * full / MINUTE)
