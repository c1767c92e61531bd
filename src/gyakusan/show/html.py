"""A screen as one HTML page: the same tree as on the terminal, without scripts, fonts or anything else from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape

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
    Text,
    Title,
    Verdict,
    Words,
)

Tell = Callable[[Words], str]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Nothing is fetched and no script runs, whatever the page holds."""
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .75rem; text-align: left; border-bottom: 1px solid #8885; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { font-size: 1.25rem; }
.note { opacity: .8; } .good, .fits { color: #2a7d2a; } .bad, .fails { color: #c02020; } .caution, .doubt { color: #a06000; }
svg { max-width: 100%; height: auto; background: #fff; color: #222; margin: .5rem 0; }
svg text { font: 12px system-ui, sans-serif; } svg .grid { stroke: #ccc; }
"""


def page(title: str, language: str, parts: Iterable[Part], charts: Iterable[str], tell: Tell) -> str:
    """Return a page. charts: SVG that we made; tell: says words in the reader's language. Everything else is escaped."""
    body = "\n".join([*_parts(parts, tell), *charts])
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title, tell)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_text(title, tell)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


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
        return f"{_text(told.label, tell)}<code>{escape(told.line)}</code>"
    return _text(told, tell)


def _table(table: Table, tell: Tell) -> str:
    marks = ['class="n"' if c.kind == "number" else "" for c in table.columns]
    head = "".join(f"<th {m}>{_text(c.head, tell)}</th>" for c, m in zip(table.columns, marks, strict=True))
    rows = "".join(
        f"<tr>{''.join(f'<td {m}>{_cell(c, tell)}</td>' for c, m in zip(row, marks, strict=True))}</tr>"
        for row in table.rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody>\n</table>"


def _cell(cell: Cell, tell: Tell) -> str:
    match cell:
        case Text(words, tone):
            return f'<span class="{tone}">{_text(words, tell)}</span>'
        case Bar(share):
            return f"{100 * share:.0f} %"
        case IntervalBar():
            return ""
        case _:
            return _text(cell, tell)


def _text(words: Words, tell: Tell) -> str:
    return escape(tell(words).replace(FIXED, " "))
