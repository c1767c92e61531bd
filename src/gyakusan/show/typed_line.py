"""The command that was typed: what comes next repeats it, so that a person can type what is shown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from contextvars import ContextVar

from gyakusan.message import Message
from gyakusan.show.tree import Words, whole

ADDED = frozenset({"add {flag}", "add {options}"})
"""Templates of what is added to the command that was typed."""
_LINE: ContextVar[str] = ContextVar("line", default="")


def remember(words: Sequence[str]) -> None:
    """Keep the words of the command that runs, without the program."""
    _LINE.set(shlex.join(["gyakusan", *words]) if words else "")


def typed_out(choices: Iterable[Words]) -> tuple[Words, ...]:
    """Return what can be typed next, each the whole command: what is to be added stands behind the command that runs."""
    line = _LINE.get()
    return tuple(_typed_out(choice, line) for choice in choices)


def _typed_out(choice: Words, line: str) -> Words:
    if not line or not isinstance(choice, Message) or choice.template not in ADDED:
        return choice
    added = str(next(iter(choice.facts.values())))
    return whole(f"{line} {added}")
