"""The frame that answers with a numbered table share: the verdict, the question, the table, remarks, what to type next."""

from __future__ import annotations

from collections.abc import Iterable

from gyakusan.message import say
from gyakusan.show.tree import Next, Part, Pause, Question, Table, Text, Tree, Verdict, Words, whole


def answer_screen(
    verdict: Verdict, question: Question, table: Table, remarks: Iterable[Part], choices: tuple[Words, ...] | None = ()
) -> Tree:
    """Return an answer on one screen.

    remarks: what holds for several rows
    choices: what can be typed next, () = the details and the command of row 1, None = nothing
    """
    usual = (say("add {options}", options=whole("--details 1")), say("add {options}", options=whole("--command 1")))
    after = () if choices is None else (Pause(), Next(choices or usual))
    return (verdict, Pause(), question, Pause(), table, Pause(), *remarks, *after)


def no_answer(verdict: Verdict, ways: Iterable[Words], question: Question) -> Tree:
    """Return that there is no answer. ways: what would help."""
    return (verdict, *map(Text, ways), Pause(), question)
