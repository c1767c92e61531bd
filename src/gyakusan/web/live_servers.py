"""The servers that run on this computer while somebody looks: what `gyakusan watch` reads, and the last minutes of it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct, structs

from gyakusan.errors import GyakusanError
from gyakusan.machines import gpu_memory
from gyakusan.machines.detect.system import GpuMemory
from gyakusan.message import Message
from gyakusan.serving.endpoints import find_endpoint
from gyakusan.serving.live import Live, read_live
from gyakusan.serving.observed import Observed, Rates, observe, rates
from gyakusan.serving.running_servers import RunningServer, live_path, running

EVERY = 1.0
"""No more often is a server asked, however many pages look. [s]"""
MOST_KEPT = 300
"""Looks that are kept of a server."""
SPAN = 10.0
"""Speeds are means over this time. [s]"""
AT_ONCE = 8
"""Servers that are asked at the same time."""

Key = tuple[str, int, str]


class Seen(Struct, frozen=True):
    """One running server.

    entry: what is written down of it
    live: what its own process wrote down last, None where it is old
    looks: what it told, the newest last
    rates: what it did in the last seconds, None at the first look
    problem: why it tells nothing, None if it does
    gpus: what the computer's GPUs hold at the same moment, all programs together
    """

    entry: RunningServer
    live: Live | None = None
    looks: tuple[Observed, ...] = ()
    rates: Rates | None = None
    problem: Message | None = None
    gpus: tuple[GpuMemory, ...] = ()

    @property
    def now(self) -> Observed | None:
        """What it told last, None where it tells nothing."""
        return self.looks[-1] if self.looks and self.problem is None else None


class LiveServers:
    """What pages are told of running servers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Key, deque[Observed]] = {}
        self._last: tuple[Seen, ...] = ()
        self._looked = float("-inf")

    def look(self, *, fresh: bool = False) -> tuple[Seen, ...]:
        """Return the running servers by name. fresh: True where one has just been started or stopped."""
        first = self._looked == float("-inf")
        if not self._lock.acquire(blocking=fresh or first):
            return self._last  # another page is asking, and a server that is silent takes seconds
        try:
            if fresh or self._clock() - self._looked >= EVERY:
                self._ask()
            return self._last
        finally:
            self._lock.release()

    def _ask(self) -> None:
        entries = running()
        alive = {_key(e) for e in entries}
        self._kept = {k: v for k, v in self._kept.items() if k in alive}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = tuple(pool.map(self._one, entries))
        gpus = gpu_memory() if entries else ()
        self._last = tuple(structs.replace(one, gpus=gpus) for one in told)
        self._looked = self._clock()

    def _one(self, entry: RunningServer) -> Seen:
        live = read_live(live_path(entry.name))
        if not entry.ready:
            return Seen(entry, live)
        kept = self._kept.setdefault(_key(entry), deque(maxlen=MOST_KEPT))
        try:
            now = observe(find_endpoint(entry.name))
        except GyakusanError as error:
            return Seen(entry, live, tuple(kept), problem=error.message)
        before = next((o for o in kept if now.at - o.at <= SPAN), None)
        kept.append(now)
        return Seen(entry, live, tuple(kept), None if before is None else rates(before, now))


def _key(entry: RunningServer) -> Key:
    return entry.name, entry.pid, entry.process_start
