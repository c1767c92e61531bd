"""Sentences as data: an English template and its facts. `text` translates them into the reader's language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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


def in_minutes(seconds: float, rounding: Callable[[float], int] = round) -> bool:
    """Return True for a time [s] that is said in minutes: one that is a minute when it is rounded. Not what is not finite."""
    return math.isfinite(seconds) and rounding(seconds) >= 60


def duration(seconds: float, rounding: Callable[[float], int] = round) -> Message:
    """Return a time as people say it: "<0.1 s", "6.2 s", "52 s", "6 min 52 s", "1 h 12 min"; whole minutes and hours alone.

    seconds: "?" is said of what is not finite [s]
    rounding: of the smaller unit, from a minute on: math.ceil for what must not read as less than it is
    """
    if not math.isfinite(seconds):
        return say("?")
    if seconds < 0.05:
        return say("<0.1 s")
    if not in_minutes(seconds, rounding):
        return say("{n} s", n=f"{seconds:.1f}" if seconds < 9.95 else f"{seconds:.0f}")
    minutes, rest = divmod(rounding(seconds), 60)
    if minutes < 60:
        return say("{minutes} min {seconds} s", minutes=minutes, seconds=rest) if rest else say("{n} min", n=minutes)
    hours, rest = divmod(rounding(seconds / 60), 60)
    return say("{hours} h {minutes} min", hours=hours, minutes=rest) if rest else say("{n} h", n=hours)


def typed_duration(seconds: float) -> Message:
    """Return a time that somebody typed, with all its digits: "0.25 s", "90.5 s", "6 min 52 s", "1 h 0 min 20 s"."""
    if math.isfinite(seconds) and (seconds < 60 or seconds % 1):
        return say("{n} s", n=f"{seconds:.12g}")
    if not math.isfinite(seconds) or seconds < 3600 or seconds % 60 == 0:
        return duration(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return say("{hours} h {minutes} min {seconds} s", hours=hours, minutes=minutes, seconds=rest)


class Listed(Struct, frozen=True):
    """Several messages that stand in one sentence; each language has its own comma.

    messages: in reading order
    """

    messages: tuple[Message, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.messages))


class Choices(Struct, frozen=True):
    """What can be chosen, as a fact: a Japanese screen shows the Japanese names that are taken, too.

    option: that takes them, without its dashes; "" for values that have no other name
    values: in reading order
    """

    option: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.values)


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
