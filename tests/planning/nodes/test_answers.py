"""What single nodes answer, several at once, is what each answers for itself."""

from __future__ import annotations

from tests.planning.nodes.computers import node

from gyakusan.planning.nodes.answers import Answers, placed, plain, plans_on
from gyakusan.planning.request.parse_request import parse_request

MACHINES = [node(d).machine for d in ("RTX 4090", "RTX 3060 12GB", "DGX Spark")]
REQUEST = parse_request({"users": 4})


def test_several_at_once_answer_as_one_by_one() -> None:
    together = list(plans_on(REQUEST, MACHINES))
    apart = [next(plans_on(REQUEST, (m,))) for m in MACHINES]
    assert all(together)
    assert together == apart


def test_equal_computers_are_worked_out_once_and_keep_their_names() -> None:
    answers, twins = Answers(), [node("RTX 4090", name).machine for name in ("desk", "rack")]
    desk, rack = answers.of(REQUEST, twins)
    assert len(answers._kept) == 1
    assert [p.offer.machine.name for p in (desk[0], rack[0])] == [m.name for m in twins]
    assert rack[0].deployment.machine is twins[1]
    assert plain(twins[0]) == plain(twins[1])
    assert placed(desk[0], twins[1]).command == desk[0].command
