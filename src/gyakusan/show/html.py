"""A screen as one HTML page: the same tree as on the terminal, without scripts, fonts or anything else from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from itertools import zip_longest
from pathlib import Path

from gyakusan.doors.files import packaged
from gyakusan.doors.text import BLOCK, line
from gyakusan.message import say
from gyakusan.show.charts.drawing import extent
from gyakusan.show.charts.style import stylesheet
from gyakusan.show.tree import (
    FIXED,
    Bar,
    Cell,
    Command,
    Fact,
    Facts,
    IntervalBar,
    Part,
    Question,
    Section,
    Table,
    Tell,
    Text,
    Title,
    Verdict,
    Words,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Nothing is fetched and no script runs, whatever the page holds."""
PHONE = 240.0
"""Tables that may take more room than this have rows that become cards on a narrow screen: nothing is read by moving a table
sideways. [user units]"""
PHRASE = 8
"""Japanese letters that a browser may keep on one line."""
GAP = 10.0
"""Room between columns. [user units]"""
NAMED = 4
"""Heads of columns that name a table."""
PAGE_STYLE = """
:root { color-scheme: light dark; } body { margin: 0; }
main.gyakusan { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
@media (prefers-color-scheme: dark) { body { background: #1a1f23; } }
@media print { body { background: none; } main.gyakusan { padding: 0; max-width: none; } }
"""


def page(
    title: str, language: str, parts: Iterable[Part], charts: Iterable[str], tell: Tell, rest: Iterable[Part] = ()
) -> str:
    """Return a page. charts: SVG that we made, between parts and rest; tell: says words in the reader's language."""
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title, tell)}</title>\n<style>{style()}{PAGE_STYLE}</style>\n</head>\n<body>\n"
        f'<main class="gyakusan">\n<h1>{_text(title, tell)}</h1>\n{body(parts, charts, tell, rest)}\n</main>\n</body>\n</html>\n'
    )


def fragment(language: str, parts: Iterable[Part], charts: Iterable[str], tell: Tell, rest: Iterable[Part] = ()) -> str:
    """Return the same for a place inside another page, e.g. below a cell of a notebook: nothing around it changes."""
    inner = body(parts, charts, tell, rest)
    return f'<div class="gyakusan" lang="{language}">\n<style>{_scoped(style())}</style>\n{inner}\n</div>\n'


def _scoped(sheet: str) -> str:
    """Return the sheet with the rules of charts, too, inside the one class: others may draw a "chart" in the same page."""
    return sheet.replace(".chart", ".gyakusan .chart")


@cache
def style() -> str:
    """Return the sheet of everything that `body` writes, charts included."""
    return stylesheet() + packaged(Path(__file__).with_name("report.css")).decode()


def body(parts: Iterable[Part], charts: Iterable[str], tell: Tell, rest: Iterable[Part] = ()) -> str:
    """Return what is inside a page: parts of a screen, the charts, further parts. All but the charts is escaped."""
    return "\n".join([*_parts(parts, tell), *charts, *_parts(rest, tell)])


def heading(words: Words, tell: Tell) -> str:
    """Return the head of a chart."""
    return f"<h2>{_text(words, tell)}</h2>"


def _parts(parts: Iterable[Part], tell: Tell) -> Iterator[str]:
    for part in parts:
        match part:
            case Verdict(sentences):
                told = "<br>".join(_text(s, tell).replace("*", "") for s in sentences)
                yield f'<p class="verdict {part.tone}">{told}</p>'
            case Question(told_lines):
                yield f"<p>{'<br>'.join(_text(w, tell) for w in told_lines)}</p>"
            case Text(words, tone):
                yield f'<p class="{tone}">{_text(words, tell)}</p>'
            case Title(words):
                yield f"<h2>{_text(words, tell)}</h2>"
            case Table():
                yield _table(part, tell)
            case Facts(rows):
                yield f"<dl>{''.join(_fact(r, tell) for r in rows)}</dl>"
            case Section(head, inner):
                yield from _parts((*((head,) if head is not None else ()), *inner), tell)
            case _:
                continue  # what is typed next, addresses and blank lines are for terminals


def _fact(fact: Fact, tell: Tell) -> str:
    return f"<dt>{_text(fact.label, tell)}</dt>" + "".join(f"<dd>{_told(w, tell)}</dd>" for w in fact.lines)


def _told(told: Words | Command, tell: Tell) -> str:
    if isinstance(told, Command):
        return f"{_text(told.label, tell)}<code>{escape(line(told.line, None))}</code>"
    return _text(told, tell)


def _table(table: Table, tell: Tell) -> str:
    numbers = ["#"] if table.numbered and table.first else []
    named = [_text(c.head, tell) for c in table.columns]
    cards = _room(table, tell) > PHONE
    classes = ['class="n"' if c.kind == "number" else "" for c in table.columns]
    heads = "".join(_head(h, m) for h, m in zip(named, classes, strict=True))
    of_all = [h or (named[0] if c.kind == "number" else "") for c, h in zip(table.columns, named, strict=True)]
    marks = [f'{m} data-head="{h}"' if cards and h else m for m, h in zip(classes, of_all, strict=True)]
    head = "".join(f'<th scope="col" class="n">{n}</th>' for n in numbers) + heads
    rows = []
    for number, (row, to) in enumerate(zip_longest(table.rows, table.hrefs, fillvalue=""), table.first):
        rows.append(f"<tr>{_number(number, table.href) if numbers else ''}{_row(row, marks, tell, to)}</tr>")
    start = '<table class="cards">' if cards else "<table>"
    drawn = f"{start}\n<thead><tr>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody>\n</table>"
    told = f'<div class="scroll" tabindex="0" role="group" aria-label="{_name(table, tell)}">{drawn}</div>'
    return told + _notes(table, tell)


def _room(table: Table, tell: Tell) -> float:
    """Return about the least room that a table takes: figures keep their line, words break [user units]."""
    cells = [[tell(c.head) for c in table.columns], *([_said(c, tell) for c in row] for row in table.rows)]
    wide = [
        max(
            (_least(row[i], whole=bool(n) and c.kind == "number") for n, row in enumerate(cells) if i < len(row)),
            default=0.0,
        )
        for i, c in enumerate(table.columns)
    ]
    return sum(wide) + GAP * len(wide) + (GAP * 2 if table.numbered and table.first else 0)


def _least(words: str, *, whole: bool) -> float:
    """Return the room of words on one line, or of the longest that a browser keeps together."""
    kept = [words] if whole else re.findall(rf"[!-~±]+|[^!-~±\s]{{1,{PHRASE}}}", words)
    return max(map(extent, kept), default=0.0)


def _said(cell: Cell, tell: Tell) -> str:
    """Return what a cell says."""
    told = cell.words if isinstance(cell, Text) else "" if isinstance(cell, Bar | IntervalBar) else cell
    return tell(told).replace(FIXED, " ")


def _name(table: Table, tell: Tell) -> str:
    """Return what a table is called by who reads it aloud: its first heads; it takes the focus, because it scrolls."""
    heads = [tell(c.head) for c in table.columns if tell(c.head)][:NAMED]
    return _text(say("Table: {heads}", heads=" · ".join(heads)) if heads else say("Table"), tell)


def _head(words: str, mark: str) -> str:
    return f'<th scope="col" {mark}>{words}</th>' if words else f"<td {mark}></td>"


def _number(number: int, href: str) -> str:
    told = f'<a href="{escape(href.format(n=number))}">{number}</a>' if href else number
    return f'<td class="n">{told}</td>'


def _notes(table: Table, tell: Tell) -> str:
    """Return what is said of each row, as a list below the table with the rows' numbers."""
    if not any(note.label or note.items for note in table.notes):
        return ""
    items = "".join(
        f"<li><b>{_text(note.label, tell)}</b> {' · '.join(_text(item, tell) for item in note.items)}</li>"
        for note in table.notes
    )
    return f'\n<ol class="notes" start="{table.first}">{items}</ol>'


def _row(row: Sequence[Cell], marks: Sequence[str], tell: Tell, to: str) -> str:
    """Return the cells of a row; one that ends early is filled up. to: where the first one leads, "" for nowhere."""
    cells = [_cell(c, tell) for c, _ in zip_longest(row, marks, fillvalue="")]
    if to:
        cells[0] = f'<a href="{escape(to)}">{cells[0]}</a>'
    return "".join(f"<td {m}>{c}</td>" for c, m in zip_longest(cells, marks, fillvalue=""))


def _cell(cell: Cell, tell: Tell) -> str:
    match cell:
        case Text(words, tone):
            return f'<span class="{tone}">{_text(words, tell)}</span>'
        case Bar(share):
            return _text(say("{n} %", n=f"{100 * share:.0f}"), tell)
        case IntervalBar():
            return ""
        case _:
            return _text(cell, tell)


def _text(words: Words, tell: Tell) -> str:
    return escape(line(tell(words).replace(FIXED, " "), BLOCK))
