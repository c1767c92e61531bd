"""A terminal gets the bytes that rich would write, without rich."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys

import pytest
import rich.text
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gyakusan.show.styled import COLOURS, Styled, colours, terminal_width

STYLES = ("", "dim", "bold", *sorted(COLOURS), "bold underline", *(f"bold {c}" for c in sorted(COLOURS)))
RUNS = st.lists(st.tuples(st.text("ab 1\n", max_size=6), st.sampled_from(STYLES)), max_size=6)


class Stream(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def line_of(runs: list[tuple[str, str]]) -> Styled:
    line = Styled()
    for text, style in runs:
        line.append(text, style)
    return line


@given(RUNS, st.lists(st.integers(0, 36), max_size=4))
def test_pieces_are_the_line(runs: list[tuple[str, str]], offsets: list[int]) -> None:
    line = line_of(runs)
    cuts = sorted(min(o, len(line.plain)) for o in offsets)
    pieces = line.divide(cuts)
    assert len(pieces) == len(cuts) + 1
    assert [p.plain for p in pieces] == [line.plain[a:b] for a, b in itertools.pairwise([0, *cuts, len(line.plain)])]
    letters = [(letter, style) for text, style in line.runs for letter in text]
    assert [(letter, style) for p in pieces for text, style in p.runs for letter in text] == letters


@given(RUNS)
def test_lines_and_blanks_at_the_end(runs: list[tuple[str, str]]) -> None:
    line = line_of(runs)
    assert [x.plain for x in line.lines()] == line.plain.split("\n")
    assert Styled("\n").join(line.lines()).plain == line.plain
    plain = line.plain
    line.rstrip()
    assert line.plain == plain.rstrip()


def test_words_of_a_style_come_and_go() -> None:
    line = Styled("a", "dim").append("b")
    line.stylize("bold")
    assert line.runs == [("a", "dim bold"), ("b", "bold")]
    assert line.without("bold").runs == [("a", "dim"), ("b", "")]
    assert line.mapped(str.upper).plain == "AB"


ENVIRONMENTS = (
    *({"TERM": term} for term in ("xterm-256color", "xterm", "dumb", "unknown", "")),
    {"TERM": "xterm", "NO_COLOR": "1"},
    {"TERM": "xterm", "NO_COLOR": ""},
    {"TERM": "xterm", "FORCE_COLOR": "1"},
    {"TERM": "xterm", "FORCE_COLOR": ""},
    {"TERM": "dumb", "FORCE_COLOR": "1"},
    {"TERM": "xterm", "TTY_COMPATIBLE": "1"},
    {"TERM": "xterm", "TTY_COMPATIBLE": "0", "FORCE_COLOR": "1"},
    {"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"},
    {"TERM": "xterm", "COLUMNS": "100"},
    {"TERM": "dumb", "COLUMNS": "100"},
)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("asked", [None, True, False])
def test_a_stream_gets_what_rich_would_write(environment: dict[str, str], terminal: bool, asked: bool | None) -> None:
    ours, theirs = Stream(terminal), Stream(terminal)
    forced = {} if asked is None else {"no_color": not asked, "force_terminal": asked or None}
    console = Console(file=theirs, highlight=False, markup=False, emoji=False, _environ=environment, **forced)  # type: ignore[arg-type]
    for style in STYLES:
        console.print(rich.text.Text.assemble("x ", ("word", style), " y"), no_wrap=True, crop=False, soft_wrap=True)
        shades = colours(ours, asked, environment)
        ours.write(Styled("x ").append("word", style).append(" y").drawn(shades) + "\n")
    assert ours.getvalue() == theirs.getvalue()
    if not (asked and environment["TERM"] == "dumb"):
        assert terminal_width(ours, environment) == console.width


def test_an_answer_is_drawn_without_rich() -> None:
    code = (
        "import sys; from gyakusan.cli import main; main(['inspect', 'gpt-oss-20b', '--device', 'RTX 4090']);"
        "print([m for m in ('rich.text', 'rich.console', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    kept = {**os.environ, "GYAKUSAN_DEFAULTS": "off"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr.splitlines()[-1] == "[]"
