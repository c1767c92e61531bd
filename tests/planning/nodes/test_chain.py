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
    assert HEADERS == (10298 - 2304 - 512) + (4032 - 2304) + 6


@pytest.mark.parametrize(("prompt", "sent"), [(100, 702_454), (500, 2_073_594), (1000, 4_642_992)])
def test_a_prompt_of_smollm2_sends_what_was_counted(prompt: int, sent: int) -> None:
    """A proxy before the one worker of llama.cpp b11312, which has all layers; what comes back is left out of both."""
    turn = Turn(users=1, prompt=prompt, answer=1, depth=prompt + 0.5, chunk=512, width=576, layers=2 * 30)
    both = prompt_hop(turn, 1, Link(1.0, 1e-12))
    assert both - prompt * 4 * 576 == pytest.approx(sent, rel=0.05)


def test_every_worker_is_asked_and_answers() -> None:
    slow = Link(1e15, 1e-3)
    assert step_hop(TURN, 3, slow) == pytest.approx(6e-3, rel=1e-6)
    assert prompt_hop(TURN, 3, slow) == pytest.approx(2 * 6e-3, rel=1e-4)  # 1,000 tokens are two chunks


def test_the_graph_is_sent_anew_with_the_first_token_and_each_256() -> None:
    """The same proxy: 32 further tokens behind 1,000, past the 1,024th; headers are those of b11434, and more than here."""
    turn = Turn(users=1, prompt=1000, answer=32, depth=1024 + 16, chunk=512, width=576, layers=2 * 30)
    graphs = (step_hop(turn, 1, Link(1.0, 1e-12)) - HEADERS - 2 * 4 * 576 - 2 * 1280) * 32
    assert graphs == pytest.approx(411_000 * (1 + 32 / 256), rel=0.01)
    counted = 5_603_805 - 4_642_992
    assert counted == pytest.approx(2 * 411_000 + 32 * (4 * 576 + 2048), rel=0.01)
