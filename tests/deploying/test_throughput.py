"""What several servers of one computer answer together: they share it."""

from __future__ import annotations

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.deploying.throughput import share, throughput
from gyakusan.engines.deployment import Deployment


@pytest.fixture
def asked() -> Deployment:
    return api.deployment("smollm2", load=Load(2, 2048), device="cpu", bandwidth="40GB/s", settings={"backend": "cpu"})


def test_cores_and_bandwidth_are_shared(asked: Deployment) -> None:
    whole = asked.machine
    assert whole.host is not None
    assert whole.host.bandwidth is not None
    assert share(whole, 1) == (whole, 1.0)
    for servers in (2, 3, 4 * whole.cores):
        part, slower = share(whole, servers)
        assert part.host is not None
        assert part.host.bandwidth is not None
        assert part.cores >= 1
        assert servers * part.cores * slower <= whole.cores + 1e-9
        assert servers * part.host.bandwidth * slower <= whole.host.bandwidth * (1 + 1e-9)


def test_more_servers_on_one_computer_are_not_as_many_times_faster(asked: Deployment) -> None:
    found = [throughput(asked, n, 8, prompt=100, answer=100) for n in (1, 2, 4, 8)]
    values = [f.value for f in found if f is not None]
    assert len(values) == 4
    assert all(value < n * values[0] for n, value in zip((2, 4, 8), values[1:], strict=True))
    apart = throughput(asked, 2, 8, prompt=100, answer=100, computers=2)
    assert apart is not None
    assert apart.value == pytest.approx(2 * values[0])


def test_a_server_without_people_adds_nothing(asked: Deployment) -> None:
    alone, idle = (throughput(asked, n, 1, prompt=10, answer=50, computers=n) for n in (1, 4))
    assert alone is not None
    assert idle is not None
    assert idle.value == pytest.approx(alone.value)


def test_cards_are_not_shared_and_what_is_not_known_is_none(asked: Deployment) -> None:
    cards = api.deployment("gpt-oss-20b", load=Load(2, 8192), device="RTX 4090")
    assert share(cards.machine, 3) == (cards.machine, 1.0)
    one, three = (throughput(cards, n, 6, prompt=100, answer=100) for n in (1, 3))
    assert one is not None
    assert three is not None
    assert three.value == pytest.approx(3 * one.value)
    unknown = api.deployment("smollm2", load=Load(2, 2048), settings={"backend": "cpu"})
    if unknown.machine.host is not None and unknown.machine.host.bandwidth is None:
        assert throughput(unknown, 1, 1, prompt=10, answer=10) is None
