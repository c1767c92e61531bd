"""Tables as lines: columns side by side, in a line for each row; blocks of labels and values where they do not fit.

Nothing is cut. Where a table is too wide, columns leave for the rows' notes; then long names put the rest of their row
on the next line; then each row is a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, structs
from rich.cells import cell_len

from gyakusan.show.styled import Styled
from gyakusan.show.tree import Bar, Cell, Column, IntervalBar, Note, Table, Text, Tone, Words, whole
from gyakusan.show.wrapping import WIDEST, cells, wrapped

STYLES: dict[Tone, str] = {
    "plain": "", "note": "dim", "good": "green", "caution": "yellow", "bad": "red",
    "fits": "green", "doubt": "yellow", "fails": "red",
}  # fmt: skip
BAR, INTERVAL_BAR, WIDE_INTERVAL_BAR = 12, 24, 40
"""Widths of bars; the last one from 120 cells on. [cells]"""
GAP = 2
"""Blanks between columns. [cells]"""
LEAST_REASON = 24
"""A column of prose is not narrower. [cells]"""
LEAST_NAME = 10
"""A column of names is not narrower, unless its names are. [cells]"""
Tell = Callable[[Words], str]


class Screen(Struct, frozen=True):
    """Where lines are drawn.

    width: of the terminal [cells]
    tell: translates a sentence, and returns data as it is
    clauses: what separates the items of a note
    ascii_only: True for bars of "#" and "="
    """

    width: int
    tell: Tell
    clauses: str = "; "
    ascii_only: bool = False


def table_lines(table: Table, screen: Screen) -> list[Styled]:
    """Return the lines of a table and of its notes."""
    drawn = structs.replace(screen, width=min(screen.width, WIDEST))
    grid, gone = _fitted(table, drawn, wide=drawn.width >= WIDEST)
    if not grid.fits(gone):
        grid, gone = _fitted(table, drawn, wide=False)
    lines = grid.drawn(gone) if grid.fits(gone) or grid.spills(gone) else grid.blocks()
    left = sorted(gone) if grid.fits(gone) or grid.spills(gone) else []
    notes = _note_lines(table, grid, left, screen)
    return [*lines, *([Styled(), *notes] if notes else [])]


def _fitted(table: Table, screen: Screen, *, wide: bool) -> tuple[_Grid, list[int]]:
    """Return a table and the columns that leave it. wide: with the columns that only a wide screen has room for."""
    grid = _Grid.of(table, screen, wide=wide)
    gone: list[int] = []
    while not grid.fits(gone) and (place := grid.leaving(gone)) is not None:
        gone.append(place)
    return grid, gone


class _Grid(Struct, frozen=True):
    """A table whose cells are drawn.

    screen: where it is drawn
    columns: those that the width allows
    heads: of the columns, translated
    rows: drawn cells
    numbers: of the rows, "" for none
    indent: blanks before each line [cells]
    numbered: True if rows have numbers
    groups: what stands once above rows that follow one another, "" for rows that stand alone
    """

    screen: Screen
    columns: tuple[Column, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[Styled, ...], ...]
    numbers: tuple[str, ...]
    indent: int
    numbered: bool
    groups: tuple[str, ...]

    @classmethod
    def of(cls, table: Table, screen: Screen, *, wide: bool) -> _Grid:
        """Draw the cells of a table. wide: with the columns that only a wide screen has room for."""
        places = [i for i, c in enumerate(table.columns) if (wide or not c.wide) and not (table.grouped and not i)]
        drawn = tuple(tuple(_cell(row[i], screen) for i in places if i < len(row)) for row in table.rows)
        numbers = [n if n > 0 else "" for n in range(table.first, table.first + len(table.rows))]
        digits = max(2, len(str(table.first + len(table.rows) - 1)))
        return cls(
            screen,
            tuple(table.columns[i] for i in places),
            tuple(screen.tell(table.columns[i].head) for i in places),
            drawn,
            tuple(f"{n:>{digits}}  " if table.numbered else "" for n in numbers),
            digits + GAP if table.numbered else table.indent,
            table.numbered,
            tuple(_cell(row[0], screen).plain if table.grouped else "" for row in table.rows),
        )

    def kept(self, gone: Sequence[int]) -> list[int]:
        """Return the places of the columns that have not left."""
        return [i for i in range(len(self.columns)) if i not in gone]

    def natural(self, place: int) -> int:
        """Return the width that a column asks for [cells]."""
        sizes = [cell_len(row[place].plain) for row in self.rows if place < len(row)]
        if self.columns[place].kind == "reason":
            sizes = [min(max(sizes, default=0), LEAST_REASON)]
        return max(cell_len(self.heads[place]), *sizes, 0)

    def used(self, gone: Sequence[int]) -> int:
        """Return the width of all columns that have not left [cells]."""
        kept = self.kept(gone)
        wider = max((sum(cells(c.plain) - cell_len(c.plain) for c in row) for row in self.rows), default=0)
        return self.indent + sum(self.natural(i) for i in kept) + GAP * (len(kept) - 1) + wider

    def fits(self, gone: Sequence[int]) -> bool:
        """Return True if no line is too wide."""
        return self.used(gone) <= self.screen.width

    def leaving(self, gone: Sequence[int]) -> int | None:
        """Return the place of the column that leaves next, None if none may."""
        able = [i for i in self.kept(gone) if self.columns[i].leaves]
        return max(able, key=lambda i: self.columns[i].leaves, default=None)

    def spills(self, gone: Sequence[int]) -> bool:
        """Return True if the table fits when the rest of a row goes below a long first name."""
        return self.spilled(gone) >= min(LEAST_NAME, self.natural(0))

    def spilled(self, gone: Sequence[int]) -> int:
        """Return the width that is left for the first column [cells]."""
        return self.screen.width - (self.used(gone) - self.natural(0))

    def widths(self, gone: Sequence[int]) -> dict[int, int]:
        """Return the width of each column; prose takes what is left [cells]."""
        out = {i: self.natural(i) for i in self.kept(gone)}
        if not self.fits(gone):
            out = self._narrowed(out)
        prose = [i for i in out if self.columns[i].kind == "reason"]
        if prose:
            spare = self.screen.width - self.indent - sum(out.values()) - GAP * (len(out) - 1)
            for n, i in enumerate(prose):
                longest = max((cell_len(row[i].plain) for row in self.rows if i < len(row)), default=0)
                grown = min(longest, out[i] + spare // (len(prose) - n))
                spare -= max(0, grown - out[i])
                out[i] = max(out[i], grown)
        return out

    def _narrowed(self, widths: dict[int, int]) -> dict[int, int]:
        """Return widths that fit the screen, those of names less than they ask for: so that most rows stand on one line."""
        names = [i for i in widths if self.columns[i].kind == "name"]
        sizes = {
            i: sorted({cell_len(self.heads[i]), *(cell_len(r[i].plain) for r in self.rows if i < len(r))})
            for i in names
        }
        slack = max((sum(cells(c.plain) - cell_len(c.plain) for c in row) for row in self.rows), default=0)
        room = self.screen.width - self.indent - slack - GAP * (len(widths) - 1)
        out = dict(widths)
        while (over := sum(out.values()) - room) > 0:
            tried = []
            for i in names:
                least = max(cell_len(self.heads[i]), min(LEAST_NAME, self.natural(i)))
                narrower = max((s for s in sizes[i] if least <= s < out[i]), default=least)
                narrower = max(narrower, out[i] - over) if out[i] - narrower > over else narrower
                if narrower < out[i]:
                    less = {**out, i: narrower}
                    tried.append((sum(map(bool, self._placed_all(less))), narrower - out[i], i, less))
            if not tried:
                return {**widths, 0: max(1, widths[0] - (sum(widths.values()) - room))}
            out = min(tried)[3]
        return out

    def _placed_all(self, widths: dict[int, int]) -> list[bool]:
        """Return for each row whether it needs more than one line."""
        every = list(widths.items())
        return [
            self._places([cell_len(row[i].plain) for i, _ in every if i < len(row)], every, self.indent) is None
            for row in self.rows
        ]

    def _places(self, sizes: Sequence[int], widths: Sequence[tuple[int, int]], at: int) -> list[int] | None:
        """Return where the cells of a row begin, None where one line has no room: a long name moves its neighbours.

        sizes: of the cells [cells]
        widths: places and widths of the columns [cells]
        at: where the first column begins [cells]
        """
        out: list[int] = []
        taken = 0
        for size, (place, width) in zip(sizes, widths, strict=False):
            number = self.columns[place].kind == "number"
            begin = at + width - size if number else at
            if begin < taken and number:
                return None
            out.append(max(begin, taken))
            taken = out[-1] + size + GAP if size else taken
            at += width + GAP
        return out if taken - GAP <= self.screen.width else None

    def drawn(self, gone: Sequence[int]) -> list[Styled]:
        """Return the head and the rows."""
        widths = self.widths(gone)
        lines: list[Styled] = []
        if any(self.heads[i] for i in widths):
            heads = [Styled(self.heads[i]) for i in widths]
            lines += self._row(heads, list(widths.items()), " " * self.indent, "")
        for place, (number, row) in enumerate(zip(self.numbers, self.rows, strict=True)):
            lines += self._group(place)
            present = [(i, w) for i, w in widths.items() if i < len(row)]
            style = "bold" if number.strip() == "1" else ""
            lines += self._row([row[i] for i, _ in present], present, number or " " * self.indent, style)
        return lines

    def _group(self, place: int) -> list[Styled]:
        """Return the line that stands above a row, none where the group has begun. place: of the row."""
        name = self.groups[place]
        return [Styled(name)] if name and (not place or self.groups[place - 1] != name) else []

    def _row(self, row: Sequence[Styled], widths: Sequence[tuple[int, int]], begin: str, style: str) -> list[Styled]:
        """Return the lines of one row: prose wraps, a name that is too long stands alone on the first one."""
        parts = [
            wrapped(cell, width) if self.columns[place].kind == "reason" else [cell]
            for cell, (place, width) in zip(row, widths, strict=True)
        ]
        sizes = [
            max(cell_len(p.plain) for p in some) if len(some) > 1 else cell_len(c.plain)
            for some, c in zip(parts, row, strict=True)
        ]
        places = self._places(sizes, widths, len(begin))
        lines = [Styled(begin)]
        if places is None:
            lines[0].append_text(row[0])
            lines.append(Styled())
            places = self._below(sizes, widths, len(begin))
        moved = len(lines) - 1  # 1 where the name has a line of its own, 0 where the row begins with it
        for some, at in list(zip(parts, places, strict=True))[moved:]:
            for n, part in enumerate(some):
                if moved + n == len(lines):
                    lines.append(Styled())
                line = lines[moved + n]
                line.append(" " * (at - cell_len(line.plain))).append_text(part)
        for line in lines:
            line.rstrip()
            line.stylize(style)
        return lines

    def _below(self, sizes: Sequence[int], widths: Sequence[tuple[int, int]], at: int) -> list[int]:
        """Return where the cells behind the first begin on the line below it: in their columns, or left of them."""
        if (places := self._places([0, *sizes[1:]], widths, at)) is not None:
            return places
        left = max(at + GAP, self.screen.width - sum(sizes[1:]) - GAP * (len(sizes) - 2))
        out = [at]
        for size in sizes[1:]:
            out.append(left)
            left += size + GAP
        return out

    def blocks(self) -> list[Styled]:
        """Return each row as its cells without a head, then a line for each other column."""
        lines: list[Styled] = []
        bare = [i for i in range(len(self.columns)) if not i or not self.heads[i]]
        label = max((cell_len(h) for h in self.heads[1:]), default=0) + GAP
        for place, (number, row) in enumerate(zip(self.numbers, self.rows, strict=True)):
            lines += self._group(place)
            first = Styled(" " * GAP).join([row[i] for i in bare if i < len(row) and row[i].plain])
            lines += self._block(first, GAP, number)
            for i in range(len(row)):
                if i not in bare and row[i].plain:
                    head = self.heads[i] + " " * (label - cell_len(self.heads[i]))
                    lines += self._block(Styled(head).append_text(self._entry(row[i], i)), label)
        return lines

    def _entry(self, cell: Styled, place: int) -> Styled:
        """Return a cell of a block; only prose is broken over lines."""
        return cell if self.columns[place].kind == "reason" else cell.mapped(whole)

    def _block(self, text: Styled, hanging: int, number: str = "") -> list[Styled]:
        """Return the lines of one entry of a block."""
        width = self.screen.width - self.indent
        first, *rest = wrapped(text, width, min(hanging, width // 2))
        begin = " " * self.indent
        return [Styled(number or begin).append_text(first), *(Styled(begin).append_text(x) for x in rest)]


def _note_lines(table: Table, grid: _Grid, gone: Sequence[int], screen: Screen) -> list[Styled]:
    """Return a line for each row's note; cells of columns that left come first."""
    notes = table.notes or (tuple(Note("") for _ in table.rows) if gone else ())
    rows = []
    for note, row in zip(notes, grid.rows, strict=False):
        left = [f"{grid.heads[i]} {row[i].plain}".strip() for i in gone if i < len(row) and row[i].plain]
        rows.append((Text(note.label), Text(screen.clauses.join([*left, *map(screen.tell, note.items)]), "note")))
    inner = Table((Column(), Column(kind="reason")), tuple(rows), numbered=table.numbered, first=table.first)
    if not rows:
        return []
    if not any(screen.tell(n.label) for n in notes):
        inner = structs.replace(inner, columns=(Column(kind="reason"),), rows=tuple(r[1:] for r in rows))
    return [line.without("bold") for line in table_lines(inner, screen)]


def _cell(cell: Cell, screen: Screen) -> Styled:
    match cell:
        case Bar(share):
            return share_bar(share, ascii_only=screen.ascii_only)
        case IntervalBar():
            width = WIDE_INTERVAL_BAR if screen.width >= WIDEST else INTERVAL_BAR
            return interval_bar(cell, width, ascii_only=screen.ascii_only)
        case Text(words, tone):
            return Styled(screen.tell(words), STYLES[tone])
        case _:
            return Styled(screen.tell(cell))


def share_bar(share: float, *, ascii_only: bool = False) -> Styled:
    """Return a bar of at most BAR cells; a share above zero shows at least a sliver."""
    parts = 1 if ascii_only else 8
    steps = max(round(min(share, 1.0) * BAR * parts), 1 if share > 0 else 0)
    full, rest = divmod(steps, parts)
    return Styled(("#" if ascii_only else "█") * full + (" ▏▎▍▌▋▊▉"[rest] if rest else ""))


def interval_bar(bar: IntervalBar, width: int = INTERVAL_BAR, *, ascii_only: bool = False) -> Styled:
    """Return a bar of at most `width` cells, the upper part of its interval as a lighter end."""
    solid, light = ("#", "=") if ascii_only else ("█", "▒")
    value, high = (round(width * x / bar.scale) for x in (bar.value, bar.high))
    return Styled(solid * max(value, 1) + light * max(0, high - max(value, 1)))
