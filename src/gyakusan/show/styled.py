"""Lines whose words have styles, and how a terminal shows them.

rich draws only what moves: to import it takes a tenth of the time of `inspect`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import IO

CODES = {"bold": 1, "dim": 2, "underline": 4, "red": 31, "green": 32, "yellow": 33}
"""Word of a style -> parameter of "select graphic rendition" (ECMA-48, 8.3.117)."""
COLOURS = frozenset({"red", "green", "yellow"})
USUAL_WIDTH = 80
"""Of a terminal that does not say its own. [cells]"""


class Styled:
    """A line as runs of text, each with the words of its style: "bold green"."""

    __slots__ = ("runs",)

    def __init__(self, text: str = "", style: str = "") -> None:
        self.runs: list[tuple[str, str]] = [(text, style)] if text else []

    @property
    def plain(self) -> str:
        """The text alone."""
        return "".join(text for text, _ in self.runs)

    def append(self, text: str, style: str = "") -> Styled:
        """Add a run; return the line itself."""
        if text:
            self.runs.append((text, style))
        return self

    def append_text(self, other: Styled) -> Styled:
        """Add the runs of another line; return the line itself."""
        self.runs += other.runs
        return self

    def mapped(self, change: Callable[[str], str]) -> Styled:
        """Return the line with the text of each run changed."""
        return _of((change(text), style) for text, style in self.runs)

    def stylize(self, style: str) -> None:
        """Add a style to all of it."""
        if style:
            self.runs = [(text, f"{old} {style}".strip()) for text, old in self.runs]

    def without(self, word: str) -> Styled:
        """Return the line without a word of its styles."""
        return _of((text, " ".join(w for w in style.split() if w != word)) for text, style in self.runs)

    def rstrip(self) -> None:
        """Take the blanks at the end away."""
        while self.runs:
            text, style = self.runs.pop()
            if kept := text.rstrip():
                self.runs.append((kept, style))
                return

    def divide(self, offsets: Iterable[int]) -> list[Styled]:
        """Return the pieces between offsets, in order."""
        pieces, rest, before = [], list(self.runs), 0
        for offset in (*offsets, len(self.plain)):
            piece, room = Styled(), offset - before
            while rest and room > 0:
                text, style = rest.pop(0)
                piece.append(text[:room], style)
                if len(text) > room:
                    rest.insert(0, (text[room:], style))
                room -= min(room, len(text))
            pieces.append(piece)
            before = offset
        return pieces

    def lines(self) -> list[Styled]:
        """Return the lines of a text that has line ends."""
        ends = [m.start() for m in re.finditer("\n", self.plain)]
        cuts = [at for end in ends for at in (end, end + 1)]
        return self.divide(cuts)[::2] if cuts else [self]

    def join(self, lines: Iterable[Styled]) -> Styled:
        """Return lines as one, this one between them."""
        joined = Styled()
        for place, line in enumerate(lines):
            if place:
                joined.append_text(self)
            joined.append_text(line)
        return joined

    def drawn(self, colours: bool | None) -> str:
        """Return the line as a terminal takes it. colours: False for bold and dim alone, None for neither."""
        if colours is None:
            return self.plain
        same = groupby(self.runs, key=itemgetter(1))
        return "".join(_run("".join(text for text, _ in runs), style, colours=colours) for style, runs in same)


def _of(runs: Iterable[tuple[str, str]]) -> Styled:
    line = Styled()
    line.runs = [(text, style) for text, style in runs if text]
    return line


def _run(text: str, style: str, *, colours: bool) -> str:
    codes = sorted(CODES[word] for word in style.split() if colours or word not in COLOURS)
    return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if codes else text


def takes_codes(file: IO[str], environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if what reads a stream takes control sequences: a terminal, or what the environment calls one."""
    if environment.get("TTY_COMPATIBLE") in ("0", "1"):
        return environment["TTY_COMPATIBLE"] == "1"
    forced = environment.get("FORCE_COLOR")
    return file.isatty() if forced is None else forced != ""


def is_dumb(environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if the terminal is one that shows control sequences as letters."""
    return environment.get("TERM", "").lower() in ("dumb", "unknown")


def colours(file: IO[str], asked: bool | None, environment: Mapping[str, str] = os.environ) -> bool | None:
    """Return what a stream gets: True for colours, False for bold and dim alone, None for plain text.

    asked: True forces colours, False removes them, None asks the terminal and NO_COLOR
    """
    if is_dumb(environment) or not (asked or takes_codes(file, environment)):
        return None
    return asked if asked is not None else environment.get("NO_COLOR", "") == ""


def terminal_width(file: IO[str], environment: Mapping[str, str] = os.environ) -> int:
    """Return the cells of a line: of the terminal, unless COLUMNS says another width [cells]."""
    if is_dumb(environment) and takes_codes(file, environment):
        return USUAL_WIDTH
    columns = environment.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None and (width := os.get_terminal_size(stream.fileno()).columns):
                return width
        except (OSError, ValueError):
            continue
    return USUAL_WIDTH
