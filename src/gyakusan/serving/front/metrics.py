"""What goes through the front as metrics of Prometheus: requests, tokens, waits, and the memory that was planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0)
"""Borders of the histograms: three in each decade, up to the longest wait for a slot. [s]"""


class Metrics:
    """The metrics of one front; `gyakusan watch` and Prometheus read them."""

    def __init__(self) -> None:
        """Make the metrics, all zero."""
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("gyakusan_requests", "Requests that were passed on.", ["key"], registry=registry)
        self.refusals = Counter("gyakusan_refusals", "Requests that were refused.", ["reason"], registry=registry)
        self.tokens = Counter(
            "gyakusan_tokens",
            "Tokens of prompts and answers, as the server counts.",
            ["key", "kind"],
            registry=registry,
        )
        self.first = Histogram(
            "gyakusan_first_token_seconds",
            "From the end of a request to the first piece of its stream, with the wait for a slot.",
            registry=registry,
            buckets=SECONDS,
        )
        self.wait = Histogram(
            "gyakusan_wait_seconds", "Wait of a request for a slot.", registry=registry, buckets=SECONDS
        )
        self._planned = Gauge(
            "gyakusan_planned_bytes", "Memory that was planned.", ["device", "line"], registry=registry
        )
        self._most = Gauge(
            "gyakusan_planned_most_bytes",
            "Limit of planned memory that grows with use.",
            ["device", "line"],
            registry=registry,
        )
        self._held = Gauge("gyakusan_server_resident_bytes", "Memory of the server's processes.", registry=registry)
        self._running = Gauge("gyakusan_requests_running", "Requests that are being answered.", registry=registry)
        self._unstreamed = Gauge(
            "gyakusan_requests_unstreamed", "Of these, whose tokens count at their end.", registry=registry
        )
        self._waiting = Gauge("gyakusan_requests_waiting", "Requests that wait for a slot.", registry=registry)

    def set_load(self, running: int, waiting: int, unstreamed: int = 0) -> None:
        """Set how many requests are answered, how many wait for a slot, and how many of the first come as a whole."""
        self._running.set(running)
        self._unstreamed.set(unstreamed)
        self._waiting.set(waiting)

    def plan(
        self, planned: Mapping[tuple[str, str], float], most: Mapping[tuple[str, str], float] | None = None
    ) -> None:
        """Set the planned memory, by device and line, and the limits of the lines that grow with use [B]."""
        for gauge, sizes in ((self._planned, planned), (self._most, most or {})):
            for (device, line), size in sizes.items():
                gauge.labels(device, line).set(size)

    def watch_memory(self, held: Callable[[], float]) -> None:
        """Tell the memory of the server's processes from now on; nan = unknown [B]."""
        self._held.set_function(held)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)
