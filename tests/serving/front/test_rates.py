"""Buckets fill evenly within a minute."""

from __future__ import annotations

from gyakusan.serving.front import rates
from gyakusan.serving.front.rates import Buckets


def test_a_bucket_fills_again() -> None:
    now = [100.0]
    buckets = Buckets(6, lambda: now[0])
    for _ in range(6):
        assert buckets.wait("a") == 0
        buckets.take("a")
    assert (buckets.wait("a"), buckets.wait("b")) == (10, 0)
    now[0] += 10.0
    assert buckets.wait("a") == 0
    buckets.take("a", 5)
    assert buckets.wait("a") == 50
    now[0] += 3600.0
    assert buckets.wait("a") == 0
    buckets.take("a", 5)
    assert buckets.wait("a") == 0


def test_no_limit() -> None:
    buckets = Buckets(0)
    buckets.take("a", 1e9)
    assert buckets.wait("a") == 0


def test_few_clients_are_remembered() -> None:
    buckets = Buckets(1, lambda: 0.0)
    for client in range(rates.LARGEST + 1):
        buckets.take(client)
    assert (buckets.wait(0), buckets.wait(1)) == (0, 60)
