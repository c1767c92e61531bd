"""The bandwidth of this computer's RAM: large copies on all cores at once, the fastest of several (as STREAM counts)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

COPY = 96 * 2**20
"""Bytes that each thread copies at a time: more than the caches hold. [B]"""
MOST_THREADS = 16
"""More add nothing to what one socket's memory gives."""


def ram_bandwidth(cores: int, seconds: float = 3.0, size: int = COPY) -> float:
    """Return the bandwidth of the RAM: bytes read and written over time, in the fastest round [B/s].

    cores: that this process may use; seconds: how long it is measured [s]; size: of one copy [B]
    McCalpin 1995, "Memory bandwidth and machine balance in current high performance computers" (STREAM, Copy).
    """
    import numpy as np

    threads = max(1, min(cores, MOST_THREADS))
    pairs = [(np.ones(size // 8), np.empty(size // 8)) for _ in range(threads)]
    for source, target in pairs:
        np.copyto(target, source)  # the pages are there before the clock runs
    begin = threading.Barrier(threads)

    def copy(pair: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
        begin.wait()
        started = time.perf_counter()
        np.copyto(pair[1], pair[0])
        return started, time.perf_counter()

    best, end = float("inf"), time.perf_counter() + seconds
    with ThreadPoolExecutor(threads) as pool:
        try:
            while best == float("inf") or time.perf_counter() < end:
                spans = list(pool.map(copy, pairs))
                best = min(best, max(s[1] for s in spans) - min(s[0] for s in spans))
        finally:
            begin.abort()  # after Ctrl-C some copies were not begun: the others would wait for them for ever
    return 2 * size * threads / best
