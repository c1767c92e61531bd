"""The frame of an answer stands in one place, and every screen that answers is in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs
from tests.planning.nodes.computers import described
from tests.planning.small import small

from gyakusan.planning.fleet.recommend import fleet
from gyakusan.planning.fleet.request import parse_fleet_request
from gyakusan.planning.nodes.node import parse_nodes
from gyakusan.planning.nodes.recommend import plan_nodes
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.upgrade.recommend import parse_upgrade_request, upgrade
from gyakusan.show import fleet as show_fleet
from gyakusan.show import nodes as show_nodes
from gyakusan.show import plan as show_plan
from gyakusan.show import upgrade as show_upgrade
from gyakusan.show.answer import answer_screen, no_answer
from gyakusan.show.tree import Next, Pause, Question, Table, Text, Tree, Verdict

VERDICT, QUESTION, TABLE = Verdict(("Run it.",)), Question(("who",)), Table((), ())


def test_what_can_be_typed_next_is_last() -> None:
    screen = answer_screen(VERDICT, QUESTION, TABLE, (Text("remark"),))
    assert screen[:5] == (VERDICT, Pause(), QUESTION, Pause(), TABLE)
    assert screen[6] == Text("remark")
    assert isinstance(screen[-1], Next)
    assert [str(c).replace("\u00a0", " ") for c in screen[-1].choices] == ["add --details 1", "add --command 1"]
    assert answer_screen(VERDICT, QUESTION, TABLE, (), ("gyakusan serve 1",))[-1] == Next(("gyakusan serve 1",))


def test_without_an_answer_the_question_is_last() -> None:
    assert no_answer(VERDICT, ("Ask for less.",), QUESTION) == (VERDICT, Text("Ask for less."), Pause(), QUESTION)


def of_plan() -> Tree:
    asked = parse_request({"device": "RTX 4090", "model": "qwen3-8b"})
    return show_plan.screen(recommend(asked, columns=small()))


def of_fleet(**more: str) -> Tree:
    asked = parse_fleet_request({"users": "4", "device": "RTX 4090", "model": "qwen3-8b", **more})
    return show_fleet.screen(fleet(asked, columns=small()))


def of_nodes(model: str = "gpt-oss-20b") -> Tree:
    nodes, link = parse_nodes([(n, described(n)) for n in ("rtx4090", "gb10")])
    return show_nodes.screen(plan_nodes(parse_request({"model": model}), nodes, link))


def of_upgrade() -> Tree:
    asked = parse_upgrade_request({"device": "RTX 3060 12GB", "budget": "300000JPY"})
    return show_upgrade.screen(upgrade(asked, columns=small()))


@pytest.mark.parametrize("drawn", [of_plan, of_fleet, of_nodes, of_upgrade])
def test_every_answer_has_this_frame(drawn: Callable[[], Tree]) -> None:
    """The kinds of its parts are those of `answer_screen`: verdict, question, table, remarks, what to type next."""
    shown = drawn()
    verdict, pause, question, between, table, after, *remarks, before, last = shown
    assert [type(p) for p in (verdict, question, table, last)] == [Verdict, Question, Table, Next]
    assert [type(p) for p in (pause, between, after, before)] == [Pause] * 4
    assert not {type(p) for p in remarks} & {Verdict, Question, Table, Next}
    assert isinstance(last, Next)
    assert last.choices


def test_what_would_keep_the_limits_stands_below_the_verdict_of_a_plan() -> None:
    asked = parse_request({"device": "cpu", "ram": "32GiB", "bandwidth": "8GB/s", "model": "gemma3-12b"})
    found = recommend(asked, columns=small())
    assert found.relaxations
    shown, plain = show_plan.screen(found), show_plan.screen(structs.replace(found, relaxations=()))
    count = len(found.relaxations)
    assert [type(p) for p in shown[1 : 1 + count]] == [Text] * count
    assert (shown[0], *shown[1 + count :]) == plain


@pytest.mark.parametrize("drawn", [lambda: of_fleet(budget="1000JPY"), lambda: of_nodes("deepseek-v3.1")])
def test_every_screen_without_an_answer_ends_with_the_question(drawn: Callable[[], Tree]) -> None:
    verdict, *ways, pause, question = drawn()
    assert [type(p) for p in (verdict, pause, question)] == [Verdict, Pause, Question]
    assert {type(w) for w in ways} <= {Text}
