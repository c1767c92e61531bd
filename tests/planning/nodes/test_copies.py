"""Copies on several nodes, beside a search of everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.nodes.computers import node

from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.copies import _each, _models, best_copies, dealt
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.nodes.reach import Reach
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest

FAST, MIDDLE, SLOW = node("RTX 4090"), node("RTX 3090"), node("RTX 3060 12GB")


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=16), st.integers(0, 5000))
def test_everybody_is_dealt_out_and_every_node_has_one(weights: list[float], more: int) -> None:
    users = len(weights) + more
    found = dealt(users, weights)
    assert sum(found) == users
    assert min(found) >= 1


def test_users_are_dealt_out_by_speed() -> None:
    assert dealt(11, [2.0, 1.0]) == (7, 4)


def test_copies_share_the_people_and_the_fast_node_has_more() -> None:
    request = parse_request({"model": "llama3.1-8b", "users": 140, "context": "4k"})
    found = best_copies(request, [FAST, MIDDLE, SLOW], Answers())
    assert found is not None
    users = [int(p.ledger.load.users) for p in found.plans]
    assert (found.form, sum(users)) == ("copies", 140)
    assert users[0] == max(users)
    assert found.is_enough(request)
    assert {p.name for p in found.plans} == {"llama3.1-8b"}
    assert all(p.ledger.fits for p in found.plans)


def test_one_person_needs_no_copies() -> None:
    assert best_copies(parse_request({"model": "llama3.1-8b"}), [FAST, SLOW], Answers()) is None


def deals(users: int, nodes: int) -> Iterator[tuple[int, ...]]:
    """Every way to give each node at least one."""
    if nodes == 1:
        yield (users,)
        return
    for first in range(1, users - nodes + 2):
        yield from ((first, *rest) for rest in deals(users - first, nodes - 1))


def everything(request: PlanRequest, nodes: list[Node]) -> tuple[int | None, list[Layout]]:
    """The fewest nodes on which some deal of some model is enough, and all layouts on so many, or on any if none is."""
    answers, made = Answers(), list[Layout]()
    for count, models in _models(request, nodes, answers).items():
        here = []
        for model in models:
            asked = parse_request({"model": model, "users": request.users, "context": request.context, "speed": None})
            for users in deals(request.users, count):
                plans = _each(asked, nodes[:count], users, answers)
                if plans is not None:
                    here.append(Layout("copies", tuple(nodes[:count]), plans))
        if any(x.is_enough(request) for x in here):
            return count, [x for x in here if x.is_enough(request)]
        made += here
    return None, made


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("RTX 3060 12GB", "GTX 1080 Ti", "RTX 2080 Ti"), {"model": "qwen3-14b", "users": 12, "context": 2048}),
        (("RTX 4060", "RTX 3050 8GB", "GTX 1650", "GTX 1650"), {"model": "llama3.1-8b", "users": 9, "context": 2048}),
        (("RTX 4060", "RTX 4060", "RTX 3050 8GB", "GTX 1650"), {"users": 7, "context": 4096}),
    ],
)
def test_nothing_is_lost_beside_a_search_of_all_deals(
    names: tuple[str, ...], asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to four nodes: as few nodes as the search of every model and every deal finds, and as good."""
    request, nodes = parse_request(asked), [node(n, f"{n} {i}") for i, n in enumerate(names)]
    count, layouts = everything(request, nodes)
    found = best_copies(request, nodes, Answers())
    monkeypatch.setattr(Reach, "may_reach", lambda *_: True)
    without = best_copies(request, nodes, Answers())
    assert (found is None) == (not layouts)
    assert found is not None
    assert without is not None
    assert (found.plans, found.nodes) == (without.plans, without.nodes)
    if count is None:
        assert not found.is_enough(request)
        assert (found.answer or 0.0) >= 0.95 * max(x.answer or 0.0 for x in layouts)
    else:
        assert len(found.nodes) == count
        assert round(found.quality_lower) >= round(max(x.quality_lower for x in layouts)) - 1
