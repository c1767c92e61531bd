"""Answers on stdout: JSON for programs, screens for people."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from gyakusan.doors.text import line
from gyakusan.message import say
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.cli.options import Output, Screen
    from gyakusan.show.terminal import Terminal
    from gyakusan.show.tree import Part
    from gyakusan.text import Language


LONGEST = 8_000
"""Of a line on stderr. [characters]"""


def warn(text: str) -> None:
    """Print a line on stderr, without control characters; a stderr that takes nothing changes no exit code.

    A terminal gets it broken between words, and commands whole; everything else gets one line.
    """
    told = line(text, LONGEST)
    try:
        print(_folded(told) if sys.stderr.isatty() else told, file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def _folded(text: str) -> str:
    """Return a line as lines of the terminal's width."""
    from gyakusan.show.styled import Styled
    from gyakusan.show.tree import FIXED
    from gyakusan.show.wrapping import unbroken_commands, wrapped

    width = shutil.get_terminal_size().columns
    return "\n".join(part.plain for part in wrapped(Styled(unbroken_commands(text)), width)).replace(FIXED, " ")


def unwritten(error: OSError, language: Language) -> int:
    """Say that stdout takes no answer; the exit code."""
    if sys.stdout is not None:
        drop(sys.stdout)
    warn("gyakusan: " + tell(say("The answer cannot be written: {problem}.", problem=error.strerror or "?"), language))
    return 3


def drop(stream: TextIO) -> None:
    """Send what is still to be written nowhere, so that Python does not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_generated(text: str) -> None:
    """Write text that is to be used, not read: UTF-8 on every stdout, for an escaped character would name another file."""
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        print(text, end="", flush=True)
        return
    sys.stdout.flush()
    raw.write(text.encode("utf-8", "surrogateescape"))
    raw.flush()


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
