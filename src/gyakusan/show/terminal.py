"""Draws trees on the terminal: the only place that knows language, width and colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import rich.text
from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, OverflowMethod, RenderableType
from rich.containers import Lines
from rich.padding import Padding
from rich.table import Table as RichTable

from gyakusan.core.ledger import LineKind
from gyakusan.message import Message
from gyakusan.show.tree import (
    Address,
    Bar,
    Cell,
    Column,
    Command,
    IntervalBar,
    Part,
    Section,
    Table,
    Text,
    Title,
    Tone,
    Words,
)
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from rich.status import Status

STYLES: Mapping[Tone, str] = {
    "plain": "", "note": "dim", "good": "green", "caution": "yellow", "bad": "red",
    "fits": "bold green", "doubt": "bold yellow", "fails": "bold red",
}  # fmt: skip
COLOURS: Mapping[LineKind, str] = {
    "weights": "cyan", "kv_cache": "green", "recurrent_state": "bright_green", "scratch": "yellow", "overhead": "magenta",
}  # fmt: skip
BAR, INTERVAL_BAR = 24, 28
"""Width of bars. [cells]"""


class Terminal:
    """A terminal, and the language and the colours that its reader wants."""

    def __init__(self, language: Language, *, colour: bool | None = None, stderr: bool = False) -> None:
        """Open it. colour: True forces colours, False removes them, None asks the terminal and NO_COLOR."""
        forced = {} if colour is None else {"no_color": not colour, "force_terminal": colour or None}
        self._console = Console(stderr=stderr, highlight=False, **forced)  # type: ignore[arg-type]
        self._language = language

    def show(self, *parts: Part) -> None:
        """Print parts, one below the other."""
        for part in parts:
            if isinstance(part, Address):
                self._console.print(tell_words(part.words, self._language), soft_wrap=True, markup=False)
            else:
                self._console.print(drawn(part, self._language))

    def progress(self) -> Progress:
        """Return a line that says what is being done."""
        return Progress(self._console, self._language)


class Progress:
    """A line that says what the server is doing, and for how long; plain lines where the output is no terminal."""

    def __init__(self, console: Console, language: Language) -> None:
        self._language = language
        self._console = console
        self._status: Status | None = None
        self._last = ""

    def __call__(self, message: Message, seconds: float) -> None:
        """Say what is being done. seconds: since the start [s]."""
        text = tell(message, self._language)
        if not self._console.is_terminal:
            if text != self._last:
                self._console.print(WrappingText(text, style="dim"))
            self._last = text
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(f"{text} {seconds:.0f} s")

    def close(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def drawn(part: Part, language: Language) -> RenderableType:
    """Return what rich prints for a part."""
    return Group(*_lines(part, language, ""))


def tell_words(words: Words, language: Language) -> str:
    """Return data as it stands and a sentence in the reader's language."""
    return words if isinstance(words, str) else tell(words, language)


def _lines(part: Part, language: Language, indent: str) -> Iterator[RenderableType]:
    match part:
        case Section(head, parts):
            if head is not None:
                yield from _lines(head, language, indent)
            for inner in parts:
                yield from _lines(inner, language, indent + "  ")
        case Table():
            yield Padding(_table(part, language), (0, 0, 0, len(indent))) if indent else _table(part, language)
        case Title(words, aside, chapter):
            text = WrappingText(indent + tell_words(words, language), style="bold underline" if chapter else "bold")
            yield text.append("  ").append(f"({tell_words(aside, language)})", style="dim") if aside else text
        case Text(words, tone, aside):
            text = WrappingText(indent + tell_words(words, language), style=STYLES[tone])
            yield text.append(" ").append(f"({tell_words(aside, language)})", style="dim") if aside else text
        case Command(line, label):
            yield WrappingText(indent + tell_words(label, language) + line, style="cyan")
        case Address(words):
            yield WrappingText(indent + tell_words(words, language))
        case _:
            yield WrappingText()


def _table(table: Table, language: Language) -> RichTable:
    headed = any(c.head for c in table.columns)
    out = RichTable(box=None, padding=(0, 1 if table.chart else 2, 0, 0), pad_edge=False, show_header=headed)
    for column in table.columns:
        _add_column(out, column, language)
    for row in table.rows:
        out.add_row(*(_cell(c, language) for c in row))
    return out


def _add_column(out: RichTable, column: Column, language: Language) -> None:
    long = column.kind == "reason"
    out.add_column(
        tell_words(column.head, language),
        justify="right" if column.kind == "number" else "left",
        no_wrap=column.whole,
        overflow="fold" if long else "ellipsis",
        style="dim" if long else None,
    )


def _cell(cell: Cell, language: Language) -> rich.text.Text:
    match cell:
        case Bar(share, kind):
            return share_bar(share, COLOURS[kind])
        case IntervalBar():
            return interval_bar(cell)
        case Text(words, tone):
            return WrappingText(tell_words(words, language), style=STYLES[tone])
        case _:
            return WrappingText(tell_words(cell, language))


def share_bar(share: float, colour: str) -> rich.text.Text:
    """Return a bar of BAR cells; a share above zero shows at least a sliver."""
    eighths = max(round(min(share, 1.0) * BAR * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return WrappingText(("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(BAR), style=colour)


def interval_bar(bar: IntervalBar) -> rich.text.Text:
    """Return a bar of at most INTERVAL_BAR cells, its interval as a lighter end, measured points on it."""
    scale = max(bar.scale, *bar.points) if bar.points else bar.scale
    low, value, high = (round(INTERVAL_BAR * x / scale) for x in (bar.low, bar.value, bar.high))
    cells = ["█"] * max(value, 1) + ["▒"] * max(0, high - value)
    for point in bar.points:
        at = min(INTERVAL_BAR - 1, round(INTERVAL_BAR * point / scale))
        cells += [" "] * (at + 1 - len(cells))
        cells[at] = "◆"
    out = WrappingText("".join(cells))
    out.stylize("cyan", 0, low)
    return out


_WIDE = "\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
_OPEN = "「(\\["
_CLOSE = "、。」)\\]:%"
_LATIN = rf"[^\s{_WIDE}{_OPEN}]+(?:(?<=\d)(?:[ァ-ヺー]+|[一-龠]))?"
_UNIT = re.compile(rf"\n|[^\S\n]+|[{_OPEN}]*(?:[ァ-ヺー]+|{_LATIN}|[{_WIDE}]|$)[{_CLOSE}]*[^\S\n]*")
"""What stays together: a katakana word, a number with its counter, a word in Latin letters, any other character; each
with the brackets and stops that belong to it, and the spaces behind."""


class WrappingText(rich.text.Text):
    """rich's Text, which also breaks between Japanese characters, where a reader expects it.

    In a Group or a Table: what is printed alone, Console.print copies into a Text of rich's own.
    """

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        """Lines of at most `width` cells."""
        whole = no_wrap or self.no_wrap or not re.search(f"[{_WIDE}]", self.plain)
        offsets = [] if whole else breaks(self.plain, width)
        text = rich.text.Text("\n").join(self.divide(offsets)) if offsets else self
        wrapped = rich.text.Text.wrap
        return wrapped(text, console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap)


def breaks(text: str, width: int) -> list[int]:
    """Where lines begin so that none is wider than `width` cells, unless one unit alone is."""
    starts: list[int] = []
    used = 0
    for match in _UNIT.finditer(text):
        unit = match[0]
        if used and unit != "\n" and used + cell_len(unit.rstrip()) > width:
            starts.append(match.start())
            used = 0
        used = 0 if unit == "\n" else used + cell_len(unit)
    return starts
