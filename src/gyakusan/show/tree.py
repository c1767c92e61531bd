"""What a screen says, as a tree of frozen values. It knows neither language nor width nor colour.

A `str` is data (a name, a figure, a path) and is shown as it stands; a `Message` is a sentence, and whoever draws the
tree translates it. `show.terminal` draws trees; functions of the other modules make them from values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from gyakusan.message import Message

Words: TypeAlias = str | Message
"""Data, or a sentence to translate."""
Tell: TypeAlias = Callable[[Words], str]
"""Says words in the reader's language."""
Tone = Literal["plain", "note", "good", "caution", "bad", "fits", "doubt", "fails"]
"""How a text is meant. note: secondary; good, caution, bad: of one figure; fits, doubt, fails: the verdict of a whole."""
Kind = Literal["name", "number", "bar", "reason"]
"""What a column holds; numbers line up at their last digit, reasons are prose that may wrap."""
FIXED = "\u00a0"
"""Stands for a blank inside a name, a command or an amount, where no line may break; it is printed as a blank."""


def whole(text: object) -> str:
    """Return data that is never broken over two lines: a name, a command, an amount with its unit."""
    return str(text).replace(" ", FIXED)


class Text(Struct, frozen=True):
    """A sentence or a figure.

    words: what is said
    tone: how it is meant
    aside: a remark in brackets behind it
    """

    words: Words
    tone: Tone = "plain"
    aside: Words = ""


class Title(Struct, frozen=True):
    """The head of what follows it.

    words: what is said
    aside: a remark in brackets behind it
    chapter: True for the head of a part that has titles of its own
    """

    words: Words
    aside: Words = ""
    chapter: bool = False


class Verdict(Struct, frozen=True):
    """The answer, which can be read alone: one to three sentences.

    sentences: each begins a line; the words that decide stand between asterisks and carry the colour: "It *fits* here."
    verb: or these words, where a sentence holds them, e.g. "Run"
    tone: fits, doubt or fails; plain for none
    """

    sentences: tuple[Words, ...]
    verb: Words = ""
    tone: Tone = "plain"


class Question(Struct, frozen=True):
    """The question as it was understood, behind "For:".

    lines: each begins a line
    """

    lines: tuple[Words, ...]


class Next(Struct, frozen=True):
    """What can be typed now, behind "Next:". Shown on a terminal only.

    choices: commands that work as typed, or "add ..." for the command just typed; none is ever broken
    """

    choices: tuple[Words, ...]


class Command(Struct, frozen=True):
    """A command line to copy.

    line: as one types it
    label: what it is for
    """

    line: str
    label: Words = ""


class Fact(Struct, frozen=True):
    """One entry of a block `label  value`.

    label: a word or two
    lines: each begins a line
    """

    label: Words
    lines: tuple[Words | Command, ...]


class Facts(Struct, frozen=True):
    """A block of labels and values, the values one below the other.

    rows: in reading order
    """

    rows: tuple[Fact, ...]


class Bar(Struct, frozen=True):
    """A share as a bar.

    share: of the whole, 0 to 1
    """

    share: float


class IntervalBar(Struct, frozen=True):
    """A figure as a bar with its interval.

    low: low end of the 80 % interval
    value: the figure
    high: high end of the 80 % interval
    scale: the largest figure of the chart
    """

    low: float
    value: float
    high: float
    scale: float


Cell: TypeAlias = Words | Text | Bar | IntervalBar


class Column(Struct, frozen=True):
    """A column of a table. Its cells are never cut, and only reasons are broken over lines.

    head: its name, "" for none
    kind: what it holds
    leaves: where a table is too wide, the column with the largest number leaves first; its cells go to the row's note.
        0 = it never leaves
    wide: True if it appears from 120 cells on only, and where all of these have room
    """

    head: Words = ""
    kind: Kind = "name"
    leaves: int = 0
    wide: bool = False


class Note(Struct, frozen=True):
    """What is said of one row, in a line below the table.

    label: what the row is, e.g. its roles
    items: in order of weight
    """

    label: Words
    items: tuple[Words, ...] = ()


class Table(Struct, frozen=True):
    """Rows of cells.

    columns: from left to right
    rows: a cell for each column
    numbered: True if rows have numbers that can be typed; row 1 is bold
    first: number of the first row; 0 leaves it without one
    notes: one for each row, below the table; () for none
    indent: blanks before each line of a table without numbers [cells]
    grouped: True if rows with the same first cell follow one another: a terminal writes it once, on a line above them
    href: where the number of a row leads on a page, with {n} for it; "" for nowhere
    hrefs: where the first cell of each row leads on a page, "" for nowhere; () for no row
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbered: bool = False
    first: int = 1
    notes: tuple[Note, ...] = ()
    indent: int = 0
    grouped: bool = False
    href: str = ""
    hrefs: tuple[str, ...] = ()


class Address(Struct, frozen=True):
    """One line to copy whole, never broken.

    words: a sentence with an address, or a command line
    """

    words: Words


class Pause(Struct, frozen=True):
    """A blank line: what follows is another matter."""


class Section(Struct, frozen=True):
    """A head and what belongs to it.

    head: None if the part before this one is the head
    parts: in reading order
    """

    head: Title | Text | None
    parts: tuple[Part, ...]


Part: TypeAlias = Verdict | Question | Facts | Next | Text | Title | Table | Command | Address | Pause | Section
Tree: TypeAlias = tuple[Part, ...]


def columns(heads: Iterable[str], left: int) -> tuple[Column, ...]:
    """Return columns of which the first `left` hold names and the others numbers. heads: templates."""
    return tuple(Column(Message(h), "name" if i < left else "number") for i, h in enumerate(heads))
