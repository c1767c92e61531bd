"""The frame of an answer stands in one place."""

from __future__ import annotations

import pytest

from gyakusan.show import fleet, nodes, plan, upgrade
from gyakusan.show.answer import answer_screen, no_answer
from gyakusan.show.tree import Next, Pause, Question, Table, Text, Verdict

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


@pytest.mark.parametrize("module", [fleet, nodes, plan, upgrade])
def test_every_answer_has_this_frame(module: object) -> None:
    assert vars(module)["answer_screen"] is answer_screen
