"""Sentences as data: an English template and its facts. `text` translates them into the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class Message(Struct, frozen=True):
    """A sentence with named facts. `str()` is the English sentence.

    template: English sentence with {fields}, the key of its translations
    facts: values of the fields; a Message among them is translated too
    """

    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.facts)


def say(template: str, /, **facts: Any) -> Message:
    """Return a Message; the template is the key under which a translation is found."""
    return Message(template, facts)


def people(users: int) -> Message:
    """Return the number of people served, in words."""
    return say("1 person") if users == 1 else say("{n} people", n=f"{users:,}")


class Listed(Struct, frozen=True):
    """Several messages that stand in one sentence; each language has its own comma.

    messages: in reading order
    """

    messages: tuple[Message, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.messages))


class Quoted(Struct, frozen=True):
    """What was typed or read, as a fact: each language has its own quotation marks ('x', 「x」).

    text: as it was typed, shortened
    mark: the English mark, "" for Python's, which shows letters that cannot be printed, too
    """

    text: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.mark}{self.text}{self.mark}" if self.mark else repr(self.text)


def quoted(value: object, longest: int = 200, mark: str = "") -> Quoted | str:
    """Return the fact of a value that is quoted: text in quotation marks, numbers and lists as Python writes them.

    longest: most characters of the value
    mark: see Quoted
    """
    return Quoted(str(value)[:longest], mark) if isinstance(value, str) else repr(value)[:longest]
