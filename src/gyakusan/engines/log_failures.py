"""Why a server ended, read from its log by a table of patterns: what the engines' tables have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import structs

from gyakusan.doors.text import line as cleaned
from gyakusan.engines.server import StartFailure
from gyakusan.message import Message

LONGEST_LINE = 2000
"""Longer lines are cut before they are matched. [characters]"""


class Pattern(NamedTuple):
    """One reason.

    kind: a word for programs
    pattern: found in a line of the log; its named groups fill the sentences
    text: the reason
    mend: what would mend it
    """

    kind: str
    pattern: re.Pattern[str]
    text: Message
    mend: Message


def first_failure(lines: Iterable[str], patterns: Sequence[Pattern]) -> StartFailure | None:
    """Return the first reason of a table, the most telling first, that any line tells; None if none does."""
    printable = [cleaned(line[:LONGEST_LINE]) for line in lines]
    for kind, pattern, text, mend in patterns:
        for line in printable:
            if match := pattern.search(line):
                facts = {name: (value or "?").strip().rstrip(".") for name, value in match.groupdict().items()}
                return StartFailure(kind, structs.replace(text, facts=facts), structs.replace(mend, facts=facts))
    return None
