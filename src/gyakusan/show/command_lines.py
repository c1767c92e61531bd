"""A command over several lines that a shell reads as one: each line but the last ends with a backslash."""

from __future__ import annotations

from gyakusan.patterns import late
from gyakusan.show.wrapping import cells

INDENT = "  "
"""In front of each line but the first."""
CONTINUED = " \\"
"""At the end of each line but the last."""
_WORD = late(r"""(?:\$'(?:[^'\\]|\\.)*'|'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+""")


def command_lines(line: str, width: int, before: int = 0) -> list[str]:
    """Return the lines of a command, broken in front of an option where it is wider than `width` cells.

    An option keeps its value beside it, unless the two alone are wider than a line; a word is never broken. A line that is
    not all words of a shell (a quote that does not end) stays as it is.
    before: cells that stand in front of the first line
    """
    if cells(line) + before <= width or _WORD.sub("", line).strip():
        return [line]
    lines: list[str] = []
    room = width - len(CONTINUED)
    for part in _parts(line):
        whole = " ".join(part)
        pieces = [whole] if cells(INDENT + whole) <= room else part
        for piece in pieces:
            first = before if len(lines) == 1 else 0
            if lines and cells(f"{lines[-1]} {piece}") + first <= room:
                lines[-1] += f" {piece}"
            else:
                lines.append(INDENT + piece if lines else piece)
    return [text + CONTINUED for text in lines[:-1]] + lines[-1:]


def _parts(line: str) -> list[list[str]]:
    """Return the words of a command: the program with what comes before its options, then each option with its values."""
    parts: list[list[str]] = []
    for word in _WORD.findall(line):
        if parts and not word.startswith("-") and parts[-1][-1] != "&&":
            parts[-1].append(word)
        else:
            parts.append([word])
    return parts
