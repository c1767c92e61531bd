"""How a plan over nodes is told."""

from __future__ import annotations

import pytest
from tests.planning.nodes.computers import described, node

from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.copies import best_copies
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.nodes.node import parse_nodes
from gyakusan.planning.nodes.recommend import NodesAnswer, plan_nodes
from gyakusan.planning.nodes.single import best_alone, each_alone
from gyakusan.planning.nodes.start import starts
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import Plan
from gyakusan.show.nodes import link_words, node_names, remarks, screen, start_notes, unused
from gyakusan.show.tree import Question, Table, Verdict
from gyakusan.units import GIB


def small() -> Layout:
    request = parse_request({"model": "llama3.1-8b"})
    found = best_alone(request, each_alone(request, [node("RTX 4090", "a")], Answers()))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("form", "count", "told"),
    [
        ("alone", 1, "n0"),
        ("copies", 3, "n0, n1, n2"),
        ("workers", 3, "n0 + n1 + n2"),
        ("pipeline", 8, "n0 + n1 +6"),
        ("copies", 5, "n0, n1 +3"),
    ],
)
def test_many_nodes_are_counted(form: str, count: int, told: str) -> None:
    nodes = tuple(node("RTX 4090", f"n{i}") for i in range(count))
    assert node_names(Layout(form, nodes, small().plans)) == told  # type: ignore[arg-type]


def test_a_link() -> None:
    assert str(link_words(Link(1.25e9, 50e-6))) == "link 10 Gbit/s, 50 us"
    assert "--link" in str(link_words(Link(assumed=True)))


@pytest.mark.parametrize(("engine", "warned"), [("ollama", True), ("llama.cpp", False)])
def test_copies_that_everyone_could_use_are_told(engine: str, warned: bool) -> None:
    request = parse_request({"model": "llama3.1-8b", "users": 2, "engines": engine})
    found = best_copies(request, [node("RTX 4090", "a"), node("RTX 3090", "b")], Answers())
    assert found is not None
    notes = [str(note) for note in start_notes(found, starts(found))]
    assert any("has no API key" in note for note in notes) == warned
    assert any("need the same key" in note for note in notes) != warned


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a",), "Not needed: a."),
        (("a", "b", "c"), "Not needed: a, b, c."),
        (("a", "b", "c", "d"), "Not needed: a, b and 2 more nodes."),
    ],
)
def test_nodes_that_are_not_needed_are_named(names: tuple[str, ...], told: str) -> None:
    assert str(unused(names)) == told


def answered(*names: str, **asked: object) -> NodesAnswer:
    nodes, link = parse_nodes([(n, described(n)) for n in names])
    return plan_nodes(parse_request(asked), nodes, link)


def test_a_speed_that_is_not_known_has_no_share_of_the_link() -> None:
    """Two computers whose RAM's bandwidth nobody measured."""
    answer = answered("small_vm", "small_vm", model="qwen2.5-72b", context="4k")
    assert [x.form for x in answer.layouts] == ["workers"]
    (table,) = [part for part in screen(answer) if isinstance(part, Table)]
    (why,) = map(str, table.notes[0].items)
    assert why.startswith("speed not known: no bandwidth is known of ")
    assert '"bandwidth": 80000000000' in str(list(remarks(answer.layouts, answer.link)))
    (verdict,) = [part for part in screen(answer) if isinstance(part, Verdict)]
    assert "speed not known" in str(verdict.sentences[0])
    assert verdict.tone == "doubt"


@pytest.mark.parametrize(
    ("left", "cell", "told"),
    [
        (GIB // 4, "0.2", "tight: 0.2 GiB"),
        (GIB // 40, "0.02", "tight: 0.02 GiB"),
        (-GIB // 4, "-0.25", "may not fit: short by up to 0.25 GiB"),
        (9 * GIB + GIB // 12, "9.0", None),
    ],
)
def test_what_is_to_spare(left: int, cell: str, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = answered("rtx4090", "gb10", model="gpt-oss-20b")
    monkeypatch.setattr(Plan, "spare", property(lambda _: left))
    (table,) = [part for part in screen(answer) if isinstance(part, Table)]
    assert table.rows[0][-1] == cell
    said = [str(i) for i in table.notes[0].items if str(i).startswith(("tight", "may not"))]
    assert said == ([] if told is None else [told])


def test_every_node_stands_in_the_question() -> None:
    answer = answered("rtx4090", "gb10", "m4_16", model="gpt-oss-20b")
    (question,) = [part for part in screen(answer) if isinstance(part, Question)]
    told = str(question.lines[1])
    assert all(n.name.replace(" ", "\u00a0") in told for n in answer.nodes)
