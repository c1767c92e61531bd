"""Sentences as data: an English template and its facts. `text` turns them into the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence with named facts. `str()` is the English sentence."""

    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.facts)


def say(template: str, /, **facts: Any) -> Message:
    """A Message; the template is the key under which a translation is found."""
    return Message(template, facts)


def people(users: int) -> Message:
    """How many people are served, in words."""
    return say("1 user") if users == 1 else say("{n} users", n=f"{users:,}")
