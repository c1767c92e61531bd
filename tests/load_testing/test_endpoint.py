"""The server that is loaded: how many people it has places for, and which word is its address."""

from __future__ import annotations

import pytest

from gyakusan.load_testing.endpoint import USERS, is_host, loads_within


def test_the_loads_of_a_bench_stay_within_the_slots() -> None:
    assert loads_within(None) == USERS
    for slots in (0, 1, 2, 3, 5, 100):
        assert max(loads_within(slots)) <= max(1, slots)
        assert loads_within(slots)[0] == 1


@pytest.mark.parametrize(
    ("name", "found"), [("localhost", True), ("10.0.0.2", True), ("box:8080", True), ("no-such-host-here", False)]
)
def test_a_word_is_a_host_where_the_network_knows_it(name: str, found: bool) -> None:
    """`bench spark` asked for a server that gyakusan had started, though the network has a computer of that name."""
    assert is_host(name) is found
