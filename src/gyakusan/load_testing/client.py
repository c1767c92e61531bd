"""The client: asks a server over kept-alive connections, and measures itself while it does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from gyakusan.load_testing.connection import CannotConnectError, Connection, Target, connect, request
from gyakusan.load_testing.prompts import Messages
from gyakusan.load_testing.records import RequestFailure, RequestRecord
from gyakusan.load_testing.stream import Exchange
from gyakusan.load_testing.workload import Limits

WATCH = 0.05
"""How often streams are looked at for silence, and the client's clock for its error. [s]"""
MOST_OPEN = 4096
"""No more requests are open at once."""


@dataclass(frozen=True, slots=True)
class ClientCost:
    """What the client itself costs and how late its clock is, measured while it worked.

    requests: that it sent
    cpu: of the client's process for each request [s]
    late: median of how late the client notices what happens [s]
    late_p99: 99 % are noticed sooner [s]
    busy: share of one processor core that the client used
    """

    requests: int
    cpu: float
    late: float
    late_p99: float
    busy: float


class Client:
    """Asks one server. Used inside a running event loop, by `opened`."""

    def __init__(self, target: Target, limits: Limits, extras: Mapping[str, object]) -> None:
        """Prepare it. extras: of every request's body."""
        self._target = target
        self._head = target.head
        self._limits = limits
        self.extras = dict(extras)
        self._loop = asyncio.get_running_loop()
        self.begun = self._loop.time()
        self._idle: list[Connection] = []
        self._open: set[tuple[Exchange, float]] = set()
        self._late: array[float] = array("d")
        self._measures = False
        self._cpu = self._wall = 0.0
        self._sent = 0

    @property
    def now(self) -> float:
        """Time since the begin [s]."""
        return self._loop.time() - self.begun

    @property
    def cost(self) -> ClientCost:
        """What the client cost until now."""
        import numpy as np

        late = np.asarray(self._late if self._late else [0.0])
        return ClientCost(
            self._sent,
            self._cpu / max(1, self._sent),
            float(np.median(late)),
            float(np.percentile(late, 99)),
            self._cpu / max(1e-9, self._wall),
        )

    async def ask(
        self, messages: Messages, answer: int, *, user: int = 0, scheduled: float | None = None
    ) -> RequestRecord:
        """Ask once and return the record. scheduled: when it was to be sent, None = now [s]."""
        due = self.now if scheduled is None else scheduled
        if len(self._open) >= MOST_OPEN:
            return RequestRecord(user, due, due, self.now, failure=RequestFailure("not_sent"))
        body = {**self.extras, "messages": messages, "max_tokens": answer}
        text = request(self._head, body)
        for fresh in (False, True):
            try:
                connection = await self._connection(fresh=fresh)
            except CannotConnectError as error:
                return RequestRecord(user, due, due, self.now, failure=error.failure)
            exchange = await self._exchange(connection, text)
            if not (connection.used and exchange.failure and exchange.heard == exchange.sent and not fresh):
                break  # else the server had ended a connection that was idle: that is no failure of this request
        if scheduled is None:
            due = exchange.sent - self.begun  # a closed loop waits for its connection
        return self._record(user, due, exchange)

    async def _connection(self, *, fresh: bool) -> Connection:
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.open:
                return connection
        return await connect(self._target)

    async def _exchange(self, connection: Connection, text: bytes) -> Exchange:
        """Send a request and wait for its end."""
        exchange = connection.ask(text)
        self._sent += self._measures
        entry = exchange, exchange.sent + self._limits.longest
        self._open.add(entry)
        try:
            await exchange.done
        finally:
            self._open.discard(entry)
            if exchange.failure is None and not exchange.done.cancelled() and connection.open:
                self._idle.append(connection)
            else:
                connection.close()
        return exchange

    def _record(self, user: int, due: float, exchange: Exchange) -> RequestRecord:
        begun = self.begun
        return RequestRecord(
            user=user,
            scheduled=due,
            sent=exchange.sent - begun,
            end=self.now if exchange.failure else exchange.heard - begun,
            arrivals=array("d", (t - begun for t in exchange.arrivals)),
            prompt_tokens=exchange.prompt_tokens,
            completion_tokens=exchange.completion_tokens,
            cached_tokens=exchange.cached,
            prefill_rate=exchange.prefill_rate,
            decode_rate=exchange.decode_rate,
            finish=exchange.finish,
            failure=exchange.failure,
        )

    async def _watch(self) -> None:
        """End what is silent or takes too long, and note how late this loop wakes up."""
        while True:
            due = self._loop.time() + WATCH
            await asyncio.sleep(WATCH)
            now = self._loop.time()
            if self._measures:
                self._late.append(max(0.0, now - due))
            for exchange, last in tuple(self._open):
                if now - exchange.heard > self._limits.silence:
                    exchange.fail("hang")
                elif now > last:
                    exchange.fail("drip")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Note inside this block what the client costs: what is computed between the steps is no part of it."""
        cpu, wall, self._measures = time.process_time(), self.now, True
        try:
            yield
        finally:
            self._measures = False
            self._cpu += time.process_time() - cpu
            self._wall += self.now - wall

    def close(self) -> None:
        """End every connection."""
        for exchange, _ in tuple(self._open):
            exchange.fail("cut")
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    @classmethod
    @asynccontextmanager
    async def opened(cls, target: Target, limits: Limits, extras: Mapping[str, object]) -> AsyncIterator[Client]:
        """Open a client; at the end of the block nothing of it is left."""
        client = cls(target, limits, extras)
        watch = asyncio.create_task(client._watch())
        try:
            yield client
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            client.close()
