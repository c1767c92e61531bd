"""Answers on stdout: JSON for programs, screens for people."""

from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyakusan.cli.options import Output, Screen
    from gyakusan.show.terminal import Terminal
    from gyakusan.show.tree import Part
    from gyakusan.text import Language


def write_json(document: object, output: Output, *, indent: int | None = 2) -> None:
    """Print a document, or a list of documents. indent: None for one line."""
    print_json(document, output.language, indent=indent)


def print_json(document: object, language: Language, *, indent: int | None = 2) -> None:
    """Print a document in a language, as JSON on every stdout: what is no UTF-8 gets ASCII."""
    from gyakusan.documents.writer import written

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    ascii_only = codecs.lookup(encoding).name != "utf-8"
    print(written(document, language, indent=indent, ascii_only=ascii_only), flush=True)


def terminal(output: Output | Screen, *, stderr: bool = False) -> Terminal:
    """Return the terminal in the language and the colours that were asked for."""
    from gyakusan.show.terminal import Terminal

    return Terminal(output.language, colour=output.color, stderr=stderr)


def draw(*parts: Part, output: Output) -> None:
    """Print parts of a screen, one below the other."""
    terminal(output).show(*parts)
