"""Notices: what was passed by, so that an answer is given all the same. The command says each once, on stderr."""

from __future__ import annotations

from collections.abc import Callable

from gyakusan.message import Message

Listener = Callable[[Message], None]


def log(message: Message) -> None:
    """Write a notice to Python's log, as a library does."""
    import logging  # takes 10 ms, and a notice is rare

    logging.getLogger("gyakusan").warning("%s", message)


class Notices:
    """Who hears notices, and which were said."""

    __slots__ = ("_listener", "_said")

    def __init__(self) -> None:
        self.hear(log)

    def hear(self, listener: Listener) -> None:
        """Send further notices to a listener, and forget which were said."""
        self._listener = listener
        self._said: set[str] = set()

    def __call__(self, message: Message) -> None:
        """Say a notice, unless it was said."""
        if str(message) not in self._said:
            self._said.add(str(message))
            self._listener(message)


notice = Notices()
"""The notices of this process."""
