"""Answers on stdout: JSON for programs, screens for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyakusan.cli.options import Output, Screen
    from gyakusan.show.terminal import Terminal
    from gyakusan.show.tree import Part


def write_json(document: object, output: Output, *, indent: int | None = 2) -> None:
    """Print a document, or a list of documents. indent: None for one line."""
    from gyakusan.documents.writer import written

    print(written(document, output.language, indent=indent), flush=True)


def terminal(output: Output | Screen, *, stderr: bool = False) -> Terminal:
    """Return the terminal in the language and the colours that were asked for."""
    from gyakusan.show.terminal import Terminal

    return Terminal(output.language, colour=output.color, stderr=stderr)


def draw(*parts: Part, output: Output) -> None:
    """Print parts of a screen, one below the other."""
    terminal(output).show(*parts)
