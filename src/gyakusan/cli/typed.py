"""The words that were typed, for what repeats or shows the command that runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

_TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def typed() -> tuple[str, ...]:
    """Return the words of the command that runs, without the program and --lang."""
    return _TYPED.get()


def remember(words: Sequence[str]) -> None:
    """Keep the words of the command that runs."""
    _TYPED.set(tuple(words))
