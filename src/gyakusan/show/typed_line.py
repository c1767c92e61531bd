"""The command that was typed: what comes next repeats it, so that a person can type what is shown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from gyakusan.message import Message
from gyakusan.show.tree import Words, whole
from gyakusan.typed_words import typed

ADDED = frozenset({"add {flag}", "add {options}"})
"""Templates of what is added to the command that was typed."""


def typed_out(choices: Iterable[Words]) -> tuple[Words, ...]:
    """Return what can be typed next, each the whole command: what is to be added stands behind the command that runs."""
    line = shlex.join(["gyakusan", *typed()]) if typed() else ""
    return tuple(_typed_out(choice, line) for choice in choices)


def _typed_out(choice: Words, line: str) -> Words:
    if not line or not isinstance(choice, Message) or choice.template not in ADDED:
        return choice
    added = str(next(iter(choice.facts.values())))
    return whole(f"{line} {added}")
