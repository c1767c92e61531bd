"""Steps of a long command on stderr: a verb, right-aligned, and what it is about; the one that runs is replaced in place."""

from __future__ import annotations

import sys
import time

from gyakusan.cli.writing import drop
from gyakusan.doors.text import line
from gyakusan.message import Message
from gyakusan.text import Language, tell

WIDTHS = {"en": 10, "ja": 10}
"""Of the column of verbs. [cells]"""
OFTEN = 0.1
"""A line is not replaced more often. [s]"""


class Steps:
    """The steps of one command, in the reader's language."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._shown = False
        self._last = 0.0

    def done(self, verb: Message, about: Message) -> None:
        """Print a finished step. verb: what was done."""
        self.close()
        self._print(self._line(verb, about) + "\n")

    def running(self, verb: Message, about: Message) -> None:
        """Replace the line of the step that runs; where stderr is no terminal, nothing is printed."""
        now = time.monotonic()
        if not self._live or now - self._last < OFTEN:
            return
        self._last, self._shown = now, True
        self._print("\r\x1b[K" + self._line(verb, about))

    def close(self) -> None:
        """Take the line of the running step away."""
        if self._shown:
            self._print("\r\x1b[K")
            self._shown = False

    def _line(self, verb: Message, about: Message) -> str:
        from gyakusan.show.wrapping import cells

        label = tell(verb, self._language)
        pad = " " * max(0, WIDTHS[self._language] - cells(label))
        return f"{pad}{label}  {line(tell(about, self._language))}"

    def _print(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            drop(sys.stderr)
