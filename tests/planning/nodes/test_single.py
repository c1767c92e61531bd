"""One node alone."""

from __future__ import annotations

import pytest
from tests.planning.nodes.computers import node

from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.link import USUAL
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.nodes.recommend import plan_nodes
from gyakusan.planning.nodes.single import best_alone, each_alone
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend

FAST, SLOW, TINY = node("RTX 4090"), node("RTX 3060 12GB"), node("GTX 1650")


def alone(asked: dict[str, object], nodes: list[Node]) -> Layout | None:
    request = parse_request(asked)
    return best_alone(request, each_alone(request, nodes, Answers()))


def test_the_node_that_serves_it_best() -> None:
    found = alone({"model": "gpt-oss-20b", "users": 4}, [SLOW, FAST])
    assert found is not None
    assert (found.form, found.nodes) == ("alone", (FAST,))


def test_of_equal_nodes_the_first_is_taken() -> None:
    twins = [node("RTX 4090", f"pc{n}") for n in range(16)]
    found = alone({"model": "gpt-oss-20b"}, twins)
    assert found is not None
    assert found.nodes == (twins[0],)


def test_none_holds_it() -> None:
    assert alone({"model": "deepseek-v3"}, [SLOW, FAST]) is None


@pytest.mark.parametrize("asked", [{}, {"task": "coding"}, {"users": 60, "context": "8k"}, {"arrivals": "60/h"}])
@pytest.mark.parametrize("device", ["RTX 4090", "DGX Spark"])
def test_one_computer_has_the_answer_that_device_gives(device: str, asked: dict[str, object]) -> None:
    """Beside a computer that helps nobody the row of the other is the first row of plan --device."""
    first = recommend(parse_request({**asked, "device": device})).plans[0]
    found = plan_nodes(parse_request(asked), [node(device), TINY], USUAL).layouts
    (row,) = (x.first for x in found if x.form == "alone")
    assert (row.name, row.quantization, row.engine, row.mode) == (
        first.name,
        first.quantization,
        first.engine,
        first.mode,
    )
    assert (row.command, row.pace, row.score) == (first.command, first.pace, first.score)
