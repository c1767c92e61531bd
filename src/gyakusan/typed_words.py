"""The words of the command that runs: what repeats it, and what shows the next one, read them here."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

_TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def remember(words: Sequence[str]) -> None:
    """Keep the words of the command that runs, without the program and --lang."""
    _TYPED.set(tuple(words))


def typed() -> tuple[str, ...]:
    """Return the words of the command that runs, without the program and --lang; none where no command runs."""
    return _TYPED.get()
