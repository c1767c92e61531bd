"""The command that was typed: what comes next repeats it, so that a person can type what is shown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from gyakusan.message import Message
from gyakusan.show.tree import FIXED, Words, whole
from gyakusan.typed_words import typed

ADDED = frozenset({"add {flag}", "add {options}"})
"""Templates of what is added to the command that was typed."""
SEVERAL = frozenset({"--set", "--also", "--nodes", "--model", "--name"})
"""Options that may stand several times in a command: another value of one replaces none, but of the same key of --set."""


def typed_out(choices: Iterable[Words]) -> tuple[Words, ...]:
    """Return what can be typed next, each the whole command: what is to be added stands behind the command that runs."""
    return tuple(_typed_out(choice, typed()) for choice in choices)


def _typed_out(choice: Words, words: Sequence[str]) -> Words:
    if not words or not isinstance(choice, Message) or choice.template not in ADDED:
        return choice
    added = str(next(iter(choice.facts.values())))
    options = shlex.split(added.replace(FIXED, " "))
    end = words.index("--") if "--" in words else len(words)
    line = shlex.join(["gyakusan", *_without(words[:end], options)])
    behind = shlex.join(words[end:])
    return whole(" ".join(part for part in (line, added, behind) if part))


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the words that were typed without the options that are added: a value that is added takes an earlier one's place."""
    replaced = {(name, _setting(name, value)): bool(value) for name, value in _pairs(options)}
    kept: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        name, mark, inside = word.partition("=")
        value = inside if mark else words[place + 1] if place + 1 < len(words) else ""
        takes_value = replaced.get((name, _setting(name, value)))
        if takes_value is None or not word.startswith("--"):
            kept.append(word)
            place += 1
        else:
            place += 2 if takes_value and not mark else 1
    return kept


def _pairs(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each option with its value, "" for one that takes none."""
    for place, word in enumerate(options):
        if word.startswith("--"):
            name, mark, inside = word.partition("=")
            after = options[place + 1] if place + 1 < len(options) else ""
            yield name, inside if mark else "" if after.startswith("--") else after


def _setting(name: str, value: str) -> str:
    """Return what of a value tells apart options that may stand several times: the key of --set, all of the others'."""
    if name not in SEVERAL:
        return ""
    return value.partition("=")[0] if name == "--set" else value
