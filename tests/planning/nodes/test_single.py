"""One node alone, and copies on several."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.planning.nodes.computers import node

from gyakusan.planning.nodes.single import best_alone, best_copies, dealt
from gyakusan.planning.request.parse_request import parse_request

FAST, SLOW = node("RTX 4090"), node("RTX 3060 12GB")


def test_the_node_that_serves_it_best() -> None:
    found = best_alone(parse_request({"model": "gpt-oss-20b", "users": 4}), [SLOW, FAST])
    assert found is not None
    assert (found.form, found.nodes) == ("alone", (FAST,))


def test_equal_nodes_are_asked_once() -> None:
    twins = [node("RTX 4090", f"pc{n}") for n in range(16)]
    found = best_alone(parse_request({"model": "gpt-oss-20b"}), twins)
    assert found is not None
    assert found.nodes == (twins[0],)


def test_none_holds_it() -> None:
    assert best_alone(parse_request({"model": "deepseek-v3"}), [SLOW, FAST]) is None


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=16), st.integers(0, 5000))
def test_everybody_is_dealt_out_and_every_node_has_one(weights: list[float], more: int) -> None:
    users = len(weights) + more
    found = dealt(users, weights)
    assert sum(found) == users
    assert min(found) >= 1


def test_users_are_dealt_out_by_speed() -> None:
    assert dealt(11, [2.0, 1.0]) == [7, 4]


def test_copies_share_the_people_and_the_fast_node_has_more() -> None:
    request = parse_request({"model": "llama3.1-8b", "users": 140, "context": "4k"})
    found = best_copies(request, [FAST, node("RTX 3090"), SLOW])
    assert found is not None
    users = [int(p.ledger.load.users) for p in found.plans]
    assert (found.form, sum(users)) == ("copies", 140)
    assert users[0] == max(users)
    assert users[2] == min(users)
    assert found.is_enough(request)
    assert {p.name for p in found.plans} == {"llama3.1-8b"}
    assert all(p.ledger.fits for p in found.plans)


def test_one_person_needs_no_copies() -> None:
    assert best_copies(parse_request({"model": "llama3.1-8b"}), [FAST, SLOW]) is None
