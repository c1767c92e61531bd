"""Words as one types them in a shell: what is printed to be pasted shows every character, and means it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable


def shell_word(word: str) -> str:
    """Return an argument as one types it: control characters of a file's name by their numbers, as bash and zsh read them."""
    if not any(_is_control(c) for c in word):
        return shlex.quote(word)
    written = (f"\\x{ord(c):02x}" if ord(c) < 128 and (_is_control(c) or c in "\\'") else _written(c) for c in word)
    return f"$'{''.join(written)}'"


def shell_words(words: Iterable[str]) -> str:
    """Return a command with its arguments as one types them."""
    return " ".join(map(shell_word, words))


def _is_control(c: str) -> bool:
    return ord(c) < 32 or 127 <= ord(c) < 160


def _written(c: str) -> str:
    return f"\\u{ord(c):04x}" if _is_control(c) else c
