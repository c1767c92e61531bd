"""The speed of a chain of nodes."""

from __future__ import annotations

import pytest
from msgspec import structs

from gyakusan import machines
from gyakusan.models import load
from gyakusan.planning.nodes.chain import HEADERS, Turn, chained, prompt_hop, step_hop
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.predict.speed import SpeedEstimate, estimate_speed

TURN = Turn(users=1, prompt=1000, answer=400, depth=1200, chunk=512, width=4096)


def speed(device: str) -> SpeedEstimate:
    found = estimate_speed(load("llama3.1-8b", "Q4_K_M"), machines.parse(device))
    assert found is not None
    return found


def test_one_node_without_a_network_is_as_fast_as_alone() -> None:
    alone = speed("RTX 4090")
    found = chained([(alone, 1.0)], TURN, 0.0, 0.0)
    for name in ("decode_each", "prefill", "ttft", "tpot"):
        ours, theirs = getattr(found, name), getattr(alone, name)
        assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high)), name


def test_times_add_up() -> None:
    fast, slow = speed("RTX 4090"), speed("RTX 3060 12GB")
    found = chained([(fast, 0.7), (slow, 0.3)], TURN, 0.002, 0.1)
    step = 0.7 / fast.decode_each.value + 0.3 / slow.decode_each.value + 0.002
    assert found.decode_each.value == pytest.approx(1 / step)
    assert found.tpot.value == pytest.approx(step)
    assert found.ttft.value == pytest.approx(0.7 * fast.ttft.value + 0.3 * slow.ttft.value + 0.102)
    assert slow.decode_each.value < found.decode_each.value < fast.decode_each.value
    assert found.decode_each.low < found.decode_each.value < found.decode_each.high
    assert found.decode_each.basis == "assumed"
    assert found.throughput.value < found.decode_all.value


def test_a_slow_link_is_what_a_token_waits_for() -> None:
    alone = speed("RTX 4090")
    assert chained([(alone, 1.0)], TURN, 1.0, 0.0).bottleneck == "links"
    assert chained([(alone, 1.0)], TURN, 1e-6, 0.0).bottleneck == alone.bottleneck


def test_a_step_of_smollm2_sends_what_was_counted() -> None:
    """A proxy before a worker of llama.cpp b11434 counted 10,298 bytes to it and 4,032 back for each token."""
    turn = structs.replace(TURN, width=576, depth=192)
    sent = (step_hop(turn, 1, Link(1.0, 1e-12)) - 2e-12) * 1.0
    assert sent == pytest.approx(10298 + 4032, rel=0.07)
    assert HEADERS == (10298 - 2304) + (4032 - 2304) + 6


def test_every_worker_is_asked_and_answers() -> None:
    slow = Link(1e15, 1e-3)
    assert step_hop(TURN, 3, slow) == pytest.approx(6e-3, rel=1e-6)
    assert prompt_hop(TURN, 3, slow) == pytest.approx(2 * 6e-3, rel=1e-4)  # 1,000 tokens are two chunks
