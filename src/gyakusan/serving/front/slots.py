"""Who is answered next: clients take turns, and none may hold all slots of a shared server."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager

from gyakusan.serving.front.refusal import Refusal

Turn = asyncio.Future[None]


class Lanes:
    """The slots of each model behind one address; of a single model under the name "". For one event loop."""

    def __init__(self, lanes: Mapping[str, Slots]) -> None:
        self._lanes = lanes

    @property
    def held(self) -> int:
        """How many slots are taken."""
        return sum(lane.held for lane in self._lanes.values())

    @property
    def queued(self) -> int:
        """How many requests wait."""
        return sum(lane.queued for lane in self._lanes.values())

    def of(self, model: str) -> Slots:
        """Return the slots of a model."""
        return self._lanes[model]


class Slots:
    """The slots of a server, given to clients in turn. For one event loop."""

    def __init__(self, slots: int, of_one: int, waiting: int, wait: float) -> None:
        self._free = slots
        self._of_one = of_one
        self._waiting = waiting
        self._wait = wait
        self._held: Counter[Hashable] = Counter()
        self._queues: OrderedDict[Hashable, deque[Turn]] = OrderedDict()

    @property
    def held(self) -> int:
        """How many slots are taken."""
        return sum(self._held.values())

    @property
    def queued(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._queues.values()))

    @asynccontextmanager
    async def one(self, client: Hashable) -> AsyncIterator[None]:
        """Hold a slot for a client. Raises Refusal if too many of its requests wait, or this one waited too long."""
        await self._take(client)
        try:
            yield
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
            self._free += 1
            self._next()

    async def _take(self, client: Hashable) -> None:
        queue = self._queues.get(client, ())
        if len(queue) >= self._waiting:
            raise Refusal(429, "too_many_waiting", f"{len(queue)} requests of this client wait already.", retry=5)
        turn: Turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(turn)
        self._next()
        try:
            async with asyncio.timeout(self._wait):
                await turn
        except BaseException as error:
            self._leave(client, turn)
            if isinstance(error, TimeoutError):
                raise Refusal(503, "busy", "The server is busy with other requests.", retry=30) from None
            raise

    def _leave(self, client: Hashable, turn: Turn) -> None:
        """Give up a turn, which may have come at the same moment."""
        if turn.done() and not turn.cancelled():
            self._held[client] -= 1
            self._free += 1
        elif turn in self._queues.get(client, ()):
            self._queues[client].remove(turn)
            if not self._queues[client]:
                del self._queues[client]
        self._next()

    def _next(self) -> None:
        """Give free slots to the clients in the order in which they last got one."""
        for client in list(self._queues):
            if not self._free:
                return
            if self._held[client] < self._of_one:
                self._give(client)
        if self._free and any(self._held[c] < self._of_one for c in self._queues):
            self._next()

    def _give(self, client: Hashable) -> None:
        turn = self._queues[client].popleft()
        if self._queues[client]:
            self._queues.move_to_end(client)
        else:
            del self._queues[client]
        if not turn.cancelled():  # the client hung up a moment ago
            self._held[client] += 1
            self._free -= 1
            turn.set_result(None)
