"""The smallest set of nodes that serves the load comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from tests.planning.nodes.computers import node

from gyakusan.core.machine import Machine
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.planning.nodes import answers
from gyakusan.planning.nodes.answers import plans_on
from gyakusan.planning.nodes.link import USUAL, Link
from gyakusan.planning.nodes.recommend import CONTRADICTED, MOST_JOINED, NodesAnswer, plan_nodes
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan

NODES = [node("RTX 3060 12GB"), node("RTX 4090"), node("RTX 3090")]


def planned(**asked: object) -> NodesAnswer:
    return plan_nodes(parse_request(asked), NODES, Link(1.25e9, 50e-6))


def test_what_one_node_holds_is_on_one() -> None:
    found = planned(model="gpt-oss-20b", users=4)
    first = found.layouts[0]
    assert (first.form, len(first.nodes)) == ("alone", 1)
    assert first.is_enough(found.request)


def test_what_none_holds_is_on_the_fewest_that_do() -> None:
    found = planned(model="qwen2.5-72b", users=1)
    first = found.layouts[0]
    assert (first.form, {n.name for n in first.nodes}) == ("workers", {"RTX 4090", "RTX 3090"})


def test_more_people_than_one_serves_fast_enough_have_copies() -> None:
    alone = planned(model="llama3.1-8b", users=40, context="4k")
    assert alone.layouts[0].form == "alone"
    more = planned(model="llama3.1-8b", users=110, context="4k")
    assert more.layouts[0].form == "copies"
    assert more.layouts[0].is_enough(more.request)


def test_nothing_fits_is_an_answer() -> None:
    found = planned(model="deepseek-v3")
    assert found.layouts == ()
    assert "deepseek-v3" in str(found.nearest[-1])
    assert "all were tried as one server" in str(found.nearest[0])


def test_more_nodes_than_are_joined() -> None:
    nodes = [node("RTX 3060 12GB", f"n{i}") for i in range(MOST_JOINED + 1)]
    found = plan_nodes(parse_request({"model": "deepseek-v3"}), nodes, USUAL)
    assert f"up to {MOST_JOINED}, the largest first, were tried" in str(found.nearest[0])


def test_an_order_that_does_not_depend_on_the_file() -> None:
    request = parse_request({"model": "qwen2.5-72b"})
    answers = [plan_nodes(request, nodes, USUAL) for nodes in (NODES, NODES[::-1])]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("field", CONTRADICTED)
def test_another_machine_is_refused(field: str) -> None:
    values = {"budget": "100000JPY", "power": 500, "bandwidth": "80GB/s", "brand": "AMD", "device": "RTX 4090"}
    with pytest.raises(BadSetting, match=f"--nodes names the computers, and --{field} another one"):
        planned(**{field: values.get(field, "24GiB")})


def test_requests_that_arrive() -> None:
    """One node keeps up with few; with many a copy on each, and each has its share."""
    few = planned(model="llama3.1-8b", arrivals="60/h", context="4k")
    assert few.layouts[0].form == "alone"
    many = planned(model="llama3.1-8b", arrivals="4000/h", context="4k")
    assert many.layouts[0].form == "copies"
    slots = [int(p.ledger.load.users) for p in many.layouts[0].plans]
    assert sum(slots) > many.request.users, "copies wait apart, so they need more slots than one server"
    assert planned(model="llama3.1-8b", arrivals="900000/h", context="4k", users=500).layouts == ()
    joined = planned(model="qwen2.5-72b", arrivals="20/h")
    assert joined.layouts[0].form == "workers"
    assert planned(model="qwen2.5-72b", arrivals="400/h").layouts == ()


def test_sixteen_unlike_computers_take_few_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most people of one task on most nodes: two thousand plans in full were made before the search was bounded."""
    names = (
        "RTX 3060 12GB", "RTX 4090", "RTX 3090", "RTX 5090", "DGX Spark", "RTX 4070", "RTX 4080", "RTX 5080",
        "RTX 4060 Ti 16GB", "RX 7900 XTX", "Arc B580", "RTX 5070 Ti", "RTX 2080 Ti", "Mac Studio M4 Max 128GB",
        "RTX A6000", "L4",
    )  # fmt: skip
    asked: list[Machine] = []

    def counted(request: PlanRequest, machines: Sequence[Machine]) -> Iterator[tuple[Plan, ...]]:
        asked.extend(machines)
        return plans_on(request, machines)

    monkeypatch.setattr(answers, "plans_on", counted)
    request = parse_request({"task": "coding", "users": 100})
    found = plan_nodes(request, [node(n) for n in names], Link(1.25e9, 50e-6))
    assert found.layouts[0].is_enough(request)
    assert len(asked) < 150, "119 on 2026-11-30"


def test_several_models_are_refused() -> None:
    with pytest.raises(BadSetting, match="--nodes and --also"):
        planned(also=["coding"])


def test_a_model_that_nobody_knows() -> None:
    with pytest.raises(UnknownName):
        planned(model="nonesuch-7b")
