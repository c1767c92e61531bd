"""A command's parser with only the options that were typed.

The command-line library builds every option of a command before it reads a word: the 60 of `plan` take longer than a
question to the catalogue. Options stand in groups, frozen dataclasses; a group of which nothing was typed is left out, and
the command has its default. Whatever is unusual, and every mistake, goes to the whole parser: it knows all names.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

from gyakusan.cli import defaults

ASKED_OFTEN = ("inspect", "plan", "compare", "fleet", "upgrade")
"""Commands without commands of their own, whose options stand in groups."""


def parameters(words: Sequence[str]) -> tuple[Callable[..., Any], list[inspect.Parameter]] | None:
    """Return a command and the parameters that its words need, None where the whole parser has to read them."""
    if not words or words[0] not in ASKED_OFTEN or os.path.lexists(defaults.place()):
        return None
    names = _typed(words[1:])
    if names is None:
        return None
    command = import_module(f"gyakusan.cli.{words[0]}").app.default_command
    kept = []
    for one in inspect.signature(command).parameters.values():
        found = names & set(_names(one))
        names -= found
        if found or one.kind is not one.KEYWORD_ONLY:
            kept.append(one)
    return None if names else (command, kept)


def _typed(words: Sequence[str]) -> set[str] | None:
    """The names of the options among words, None where a word is no plain option, or an option stands twice."""
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    if len(set(options)) < len(options) or any(not _is_plain(option) for option in options):
        return None
    return {option[2:].replace("-", "_") for option in options}


def _is_plain(option: str) -> bool:
    return option.startswith("--") and option[2:].replace("-", "").isalpha() and option.islower()


def _names(one: inspect.Parameter) -> Iterator[str]:
    """Yield the names of an option or of a group of them. What has another name is nobody's: the whole parser knows it."""
    if is_dataclass(one.default):
        yield from (field.name for field in fields(one.default))
    else:
        yield one.name


def reduced(command: Callable[..., Any], kept: Sequence[inspect.Parameter]) -> Callable[..., Any]:
    """Return a command that takes these parameters alone; the others have their defaults."""

    def called(*positional: Any, **keywords: Any) -> Any:
        return command(*positional, **keywords)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__wrapped__ = command  # type: ignore[attr-defined]  # the annotations are read among its names
    called.__annotations__ = {one.name: one.annotation for one in kept}
    called.__signature__ = inspect.Signature(list(kept))  # type: ignore[attr-defined]
    return called
