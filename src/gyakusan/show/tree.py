"""What a screen says, as a tree of frozen values. It knows neither language nor width nor colour.

A `str` is data (a name, a figure, a path) and is shown as it stands; a `Message` is a sentence, and whoever draws the
tree translates it. `show.terminal` draws trees; functions of the other modules make them from values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gyakusan.core.ledger import LineKind
from gyakusan.message import Message

Words: TypeAlias = str | Message
"""Data, or a sentence to translate."""
Tone = Literal["plain", "note", "good", "caution", "bad", "fits", "doubt", "fails"]
"""How a text is meant. note: secondary; good, caution, bad: of one figure; fits, doubt, fails: the verdict of a whole."""
Kind = Literal["name", "number", "bar", "reason"]
"""What a column holds; numbers line up at their last digit, reasons may be long."""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence or a figure.

    words: what is said
    tone: how it is meant
    aside: a remark in brackets behind it
    """

    words: Words
    tone: Tone = "plain"
    aside: Words = ""


@dataclass(frozen=True, slots=True)
class Title:
    """The head of what follows it.

    words: what is said
    aside: a remark in brackets behind it
    chapter: True for the head of a part that has titles of its own
    """

    words: Words
    aside: Words = ""
    chapter: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A share as a bar.

    share: of the whole, 0 to 1
    kind: what it is a share of memory for
    """

    share: float
    kind: LineKind


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A figure as a bar, with its interval and with what others measured.

    low: low end of the 80 % interval
    value: the figure
    high: high end of the 80 % interval
    scale: the largest figure of the chart
    points: measurements
    """

    low: float
    value: float
    high: float
    scale: float
    points: tuple[float, ...] = ()


Cell: TypeAlias = Words | Text | Bar | IntervalBar


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    head: its name, "" for none
    kind: what it holds
    whole: True if its cells are never broken over two lines
    """

    head: Words = ""
    kind: Kind = "name"
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells.

    columns: from left to right
    rows: a cell for each column
    chart: True if the rows are bars with their labels
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    chart: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command line to copy.

    line: as one types it
    label: what it is for
    """

    line: str
    label: Words = ""


@dataclass(frozen=True, slots=True)
class Address:
    """One line to copy whole, never broken.

    words: a sentence with an address, or a command line
    """

    words: Words


@dataclass(frozen=True, slots=True)
class Pause:
    """A blank line: what follows is another matter."""


@dataclass(frozen=True, slots=True)
class Section:
    """A head and what belongs to it.

    head: None if the part before this one is the head
    parts: in reading order
    """

    head: Title | Text | None
    parts: tuple[Part, ...]


Part: TypeAlias = Text | Title | Table | Command | Address | Pause | Section
Tree: TypeAlias = tuple[Part, ...]


def columns(heads: Iterable[str], left: int, *, whole: bool = True) -> tuple[Column, ...]:
    """Return columns of which the first `left` hold names and the others numbers. heads: templates."""
    return tuple(Column(Message(h), "name" if i < left else "number", whole) for i, h in enumerate(heads))
