"""The words that were typed, for what repeats or shows the command that runs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextvars import ContextVar

_TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def typed() -> tuple[str, ...]:
    """Return the words of the command that runs, without the program and --lang."""
    return _TYPED.get()


def remember(words: Sequence[str]) -> None:
    """Keep the words of the command that runs."""
    _TYPED.set(tuple(words))


_FULL = re.compile(r"[ -~\u3000\uff01-\uff5e]+")
"""Letters, digits and signs as an input method of Japanese writes them, beside usual ones."""
_HALF: dict[int, str | int] = {0x3000: " ", **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}}


def half_width(word: str) -> str:
    """Return "RTX 4090" for a word in full-width letters; sentences of Japanese, and files of that name, stay as they are."""
    if word.isascii() or not _FULL.fullmatch(word) or os.path.exists(word):
        return word
    return word.translate(_HALF)
