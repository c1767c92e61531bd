"""The bandwidth of RAM: a figure that a computer can have, whose unit is right."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from gyakusan.load_testing import ram_bandwidth as room
from gyakusan.load_testing.ram_bandwidth import ram_bandwidth


def test_a_computer_of_today() -> None:
    assert 1e8 < ram_bandwidth(2, 0.05, size=2**20) < 2e13


def test_bytes_read_and_written_over_the_time_of_the_fastest_round(monkeypatch: pytest.MonkeyPatch) -> None:
    import itertools

    ticks = itertools.count()
    monkeypatch.setattr(room.time, "perf_counter", lambda: float(next(ticks)))
    assert ram_bandwidth(1, 0.0, size=8 * 1024) == pytest.approx(2 * 8 * 1024)


def test_an_interrupt_between_two_copies_leaves_no_thread_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two copies one is begun when Ctrl-C comes: it waits for a second one that never begins."""
    from concurrent.futures import ThreadPoolExecutor

    class Interrupted(ThreadPoolExecutor):
        def map(self, function: Any, items: Any) -> Any:  # type: ignore[override]
            self.submit(function, items[0])
            raise KeyboardInterrupt

    ended: list[str] = []

    def measure() -> None:
        with pytest.raises(KeyboardInterrupt):
            ram_bandwidth(2, 0.05, size=2**16)
        ended.append("by Ctrl-C")

    monkeypatch.setattr(room, "ThreadPoolExecutor", Interrupted)
    worker = threading.Thread(target=measure, daemon=True)
    worker.start()
    worker.join(5.0)
    assert ended == ["by Ctrl-C"]
