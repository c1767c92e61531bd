"""Draws trees on the terminal: the only place that knows language, width and colour."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING

from msgspec import structs

from gyakusan.doors.text import line as cleaned
from gyakusan.message import Message
from gyakusan.show.command_lines import command_lines
from gyakusan.show.layout import STYLES, Screen, table_lines
from gyakusan.show.styled import Styled, colours, is_dumb, terminal_width
from gyakusan.show.tree import (
    FIXED,
    Address,
    Command,
    Facts,
    Next,
    Part,
    Pause,
    Question,
    Section,
    Table,
    Text,
    Title,
    Verdict,
    Words,
    whole,
)
from gyakusan.show.typed_line import typed_out
from gyakusan.show.wrapping import PROSE, cells, in_ascii, wrapped
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.status import Status

PIPE = 80
"""Width of what goes into a pipe, unless COLUMNS is set. [cells]"""


class Terminal:
    """A terminal, and the language and the colours that its reader wants."""

    def __init__(self, language: Language, *, colour: bool | None = None, stderr: bool = False) -> None:
        """Open it. colour: True forces colours, False removes them, None asks the terminal and NO_COLOR."""
        self._language = language
        self._file = sys.stderr if stderr else sys.stdout
        self._colour = colour
        self._interactive = self._file.isatty()
        piped = not self._interactive and "COLUMNS" not in os.environ
        self._width = PIPE if piped else terminal_width(self._file)
        self._ascii = prefers_ascii(self._file)

    def show(self, *parts: Part) -> None:
        """Print parts, one below the other. What comes next is printed on a terminal only."""
        shown: list[Part] = []
        for part in parts:
            if isinstance(part, Next):
                if not self._interactive:
                    continue
                part = Next(typed_out(part.choices))
            if not (isinstance(part, Pause) and shown and isinstance(shown[-1], Pause)):
                shown.append(part)
        while shown and isinstance(shown[-1], Pause):
            shown.pop()
        self.write(lines(shown, self._language, self._width, ascii_only=self._ascii))

    def write(self, drawn: Iterable[Styled]) -> None:
        """Write lines as they are."""
        shades = colours(self._file, self._colour)
        if os.name == "nt" and shades is not None:
            self._write_by_rich(drawn)
            return
        self._file.write("".join(line.drawn(shades) + "\n" for line in drawn))
        self._file.flush()

    def _write_by_rich(self, drawn: Iterable[Styled]) -> None:
        """Write lines on Windows, whose old console has to be told that it takes control sequences."""
        from rich.text import Text

        console = self.console()
        for line in drawn:
            console.print(Text.assemble(*line.runs), no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)

    @property
    def moves(self) -> bool:
        """True if what stands there can be drawn over."""
        return self._file.isatty() and not is_dumb()

    @property
    def width(self) -> int:
        """Of the terminal, or 80 for what has none [cells]."""
        return terminal_width(self._file)

    def console(self) -> Console:
        """Return rich's view of the stream, for what moves."""
        from rich.console import Console

        forced = {} if self._colour is None else {"no_color": not self._colour, "force_terminal": self._colour or None}
        return Console(stderr=self._file is sys.stderr, highlight=False, markup=False, emoji=False, **forced)  # type: ignore[arg-type]

    def progress(self) -> Progress:
        """Return a line that says what is being done."""
        return Progress(self, self._language)

    def redrawn(self, *, in_place: bool) -> Redrawn:
        """Return a place for a screen that changes. in_place: False prints one below the other, as a pipe gets it."""
        return Redrawn(self, in_place=in_place and self.moves)

    def drawn(self, *parts: Part) -> list[Styled]:
        """Return the lines that `show` would print, without what comes next."""
        shown = [p for p in parts if not isinstance(p, Next)]
        return list(lines(shown, self._language, self._width, ascii_only=self._ascii))


class Redrawn:
    """A screen that is drawn anew in its place."""

    def __init__(self, terminal: Terminal, *, in_place: bool) -> None:
        self._terminal = terminal
        self._in_place = in_place
        self._live: Live | None = None

    def show(self, *parts: Part) -> None:
        """Draw parts in the place of what stood there."""
        if not self._in_place:
            self._terminal.show(*parts)
            return
        from rich.console import Group
        from rich.live import Live
        from rich.text import Text

        group = Group(*(Text.assemble(*line.runs) for line in self._terminal.drawn(*parts)))
        if self._live is None:
            self._live = Live(group, console=self._terminal.console(), auto_refresh=False)
            self._live.start()
        self._live.update(group, refresh=True)

    def close(self) -> None:
        """Leave the last screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


class Progress:
    """A line that says what the server is doing, and for how long; plain lines where the output is no terminal."""

    def __init__(self, terminal: Terminal, language: Language) -> None:
        self._language = language
        self._terminal = terminal
        self._status: Status | None = None
        self._last = ""
        self._closed = False

    def __call__(self, message: Message, seconds: float) -> None:
        """Say what is being done, unless it is closed. seconds: since the start [s]."""
        if self._closed:
            return
        text = tell(message, self._language)
        if not self._terminal.moves:
            if text != self._last:
                self._terminal.write(wrapped(Styled(text, "dim"), self._terminal.width))
            self._last = text
            return
        from rich.text import Text

        if self._status is None:
            self._status = self._terminal.console().status(Text(text))
            self._status.start()
        self._status.update(Text(f"{text} {seconds:.0f} s"))

    def close(self) -> None:
        """Take the line away, for good: what happens later, e.g. a restart, is told otherwise."""
        self._closed = True
        if self._status is not None:
            self._status.stop()
            self._status = None


def prefers_ascii(file: IO[str]) -> bool:
    """Return True where signs are ASCII: as asked for, where the terminal has nothing better, or draws others two cells wide.

    Which width a terminal gives to ±, × and bars (East Asian Width "ambiguous", UAX 11) cannot be asked; it is known to be
    two where the locale's letters are EUC or Shift JIS, where the locale says @cjkwide (mintty) and where VTE was told so.
    """
    asked = os.environ.get("GYAKUSAN_ASCII", "")
    if asked:
        return asked != "0"
    if _says_wide(os.environ):
        return True
    encoding = (getattr(file, "encoding", None) or "utf-8").lower().replace("-", "")
    return os.environ.get("TERM") in ("dumb", "linux") or not encoding.startswith("utf")


def _says_wide(environment: Mapping[str, str]) -> bool:
    """Return True if the environment says that ambiguous signs take two cells."""
    locale = next((v for k in ("LC_ALL", "LC_CTYPE", "LANG") if (v := environment.get(k))), "").casefold()
    letters = locale.partition(".")[2].replace("-", "").replace("_", "")
    wide = letters.startswith(("euc", "ujis", "sjis", "shiftjis", "cp932", "gb", "big5", "uhc"))
    return wide or locale.endswith("@cjkwide") or environment.get("VTE_CJK_WIDTH") == "wide"


def lines(parts: Iterable[Part], language: Language, width: int, *, ascii_only: bool = False) -> Iterator[Styled]:
    """Yield what is printed for parts, line by line; none is wider than `width` unless it is one name or command."""
    clauses = "。" if language == "ja" else "; "
    plain = in_ascii if ascii_only else str
    screen = Screen(width, lambda words: plain(tell_words(words, language)), clauses, ascii_only)
    for part in parts:
        for line in _lines(part, screen, ""):
            line.rstrip()
            yield line.mapped(lambda text: cleaned(text.replace(FIXED, " "), None))


def tell_words(words: Words, language: Language) -> str:
    """Return data as it stands and a sentence in the reader's language."""
    return cleaned(words, None) if isinstance(words, str) else tell(words, language)


def _lines(part: Part, screen: Screen, indent: str) -> Iterator[Styled]:
    match part:
        case Section(head, parts):
            if head is not None:
                yield from _lines(head, screen, indent)
            for inner in parts:
                yield from _lines(inner, screen, indent + "  ")
        case Table():
            narrow = structs.replace(screen, width=screen.width - len(indent))
            yield from (Styled(indent).append_text(x) for x in table_lines(part, narrow))
        case Verdict() | Question() | Facts() | Next():
            yield from _answer(part, screen, indent)
        case Address(words):
            yield Styled(screen.tell(words))
        case Command(line, label):
            said, room = screen.tell(label), min(screen.width, PROSE) - len(indent)
            if said and cells(said + line) > room:  # a command of several lines is copied without its label
                yield Styled(indent + said.rstrip())
                said = ""
            first, *rest = command_lines(line, room, cells(said))
            yield from (Styled(indent + x) for x in (said + first, *rest))
        case _:
            yield from _prose(part, screen, indent)


def _answer(part: Verdict | Question | Facts | Next, screen: Screen, indent: str) -> Iterator[Styled]:
    """Return a part that has its own place in every answer."""
    match part:
        case Verdict():
            yield from _verdict(part, screen)
        case Question(told):
            yield from _labelled(screen.tell(Message("For: ")), told, screen)
        case Facts(rows):
            width = max((cells(screen.tell(r.label)) for r in rows), default=0) + 2
            for row in rows:
                label = screen.tell(row.label)
                yield from _labelled(indent + label + " " * (width - cells(label)), row.lines, screen)
        case Next(choices):
            yield from _next(choices, screen)


def _prose(part: Part, screen: Screen, indent: str) -> Iterator[Styled]:
    """Return a text, a title or a command; their second lines have the indent of the first."""
    match part:
        case Title(words, aside, chapter):
            text = Styled(screen.tell(words), "bold underline" if chapter else "bold")
            if aside:
                text = text.append("  ").append(f"({screen.tell(aside)})", "dim")
        case Text(words, tone, aside):
            text = Styled(screen.tell(words), STYLES[tone])
            if aside:
                text = text.append(" ").append(f"({screen.tell(aside)})", "dim")
        case _:
            text = Styled()
    width = min(screen.width, PROSE) - len(indent)
    yield from (Styled(indent).append_text(x) for x in wrapped(text, width))


def _verdict(part: Verdict, screen: Screen) -> Iterator[Styled]:
    """Return each sentence from a line of its own, the words that decide in the colour of the verdict."""
    style = f"bold {STYLES[part.tone]}".strip()
    verb = screen.tell(part.verb)
    for sentence in part.sentences:
        told, text = screen.tell(sentence), Styled()
        if verb:
            told = told.replace(verb, f"*{verb}*", 1)
        for place, words in enumerate(told.split("*")):
            text.append(words, style if place % 2 else "")
        yield from wrapped(text, min(screen.width, PROSE))


def _labelled(label: str, told: Iterable[Words | Command], screen: Screen) -> Iterator[Styled]:
    """Return lines behind a label, all with the same left edge."""
    begin, width = label, min(screen.width, PROSE)
    for words in told:
        room = width - cells(label)
        if isinstance(words, Command):
            lines = [Styled(line) for line in command_lines(words.line, room)]
        else:
            lines = wrapped(Styled(screen.tell(words)), room)
        for line in lines:
            yield Styled(begin).append_text(line)
            begin = " " * cells(label)


FOLDING = 60
"""On a narrower screen a command stays whole: its options have no room below it. [cells]"""


def _next(choices: Iterable[Words], screen: Screen) -> Iterator[Styled]:
    """Return the commands in one line if they fit, else one below the other, a long one as a shell reads it."""
    label = screen.tell(Message("Next: "))
    told = [whole(screen.tell(c)) for c in choices]
    one = (" " * 4).join(told)
    if cells(label + one) <= screen.width:
        yield from _labelled(label, [one], screen)
        return
    if screen.width < FOLDING:
        yield from _labelled(label, told, screen)
        return
    folded = [Command(c.replace(FIXED, " ")) if c.startswith(f"gyakusan{FIXED}") else c for c in told]
    yield from _labelled(label, folded, screen)
