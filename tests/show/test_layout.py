"""Tables lose no name and no number at any width: columns leave for notes, long names spill, then rows are blocks."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from tests.show.drawing import text_of

from gyakusan.show.layout import BAR, share_bar
from gyakusan.show.tree import Bar, Column, IntervalBar, Note, Table, Text

COLUMNS = (
    Column("model"),
    Column("files"),
    Column("server", leaves=2),
    Column("tokens/s", "number"),
    Column("first", "number", leaves=4),
    Column("quality", "number"),
    Column("spare", "number", leaves=1),
    Column("up to", "number", wide=True),
)
ROWS = (
    ("gemma-4-26B-A4B", "Q4_K_M", "llama.cpp", "87 (63-121)", "0.2 s", "80 ±2", "3.6", "65,536"),
    ("Qwen3.6-35B-A3B", "UD-Q4_K_M", "llama.cpp", "93 (61-141)", "0.3 s", "83 ±4", "0.8", "42,000"),
)
NOTES = (Note("balanced", ("thinks x2: 43 tokens/s of answer", "measured")), Note("tied with 1", ("maker's scores",)))
PLANS = Table(COLUMNS, ROWS, numbered=True, notes=NOTES)


def test_at_120_every_column_stands() -> None:
    head, first, *_ = text_of(PLANS, width=120).splitlines()
    assert head.split() == ["model", "files", "server", "tokens/s", "first", "quality", "spare", "up", "to"]
    assert first.split()[:2] == ["1", "gemma-4-26B-A4B"]
    assert first.endswith("65,536")


def test_at_80_the_wide_column_is_missing() -> None:
    lines = text_of(PLANS, width=80).splitlines()
    assert "up to" not in lines[0]
    assert "first" in lines[0]
    assert lines[-2] == " 1  balanced     thinks x2: 43 tokens/s of answer; measured"


def test_columns_leave_in_their_order_for_the_notes() -> None:
    head, *_, first, second = text_of(PLANS, width=76).splitlines()
    assert "first" not in head
    assert "server" in head
    assert first == " 1  balanced     first 0.2 s; thinks x2: 43 tokens/s of answer; measured"
    assert second == " 2  tied with 1  first 0.3 s; maker's scores"
    assert "server" not in text_of(PLANS, width=62).splitlines()[0]
    assert " 2  first 0.3 s" in text_of(Table(COLUMNS, ROWS, numbered=True), width=76)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", range(24, 130))
def test_nothing_is_cut_and_nothing_is_too_wide(width: int, language: str) -> None:
    text = text_of(PLANS, width=width, language="ja" if language == "ja" else "en")
    lines = text.splitlines()
    assert all(cell_len(line) + line.count("±") <= max(width, 29) for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert "…" not in text
    shown = [cell for row in ROWS for cell, c in zip(row, COLUMNS, strict=True) if width >= 120 or not c.wide]
    assert [c for c in shown if not any(c in line for line in lines)] == []


def test_the_rest_of_a_row_follows_a_long_name() -> None:
    table = Table((Column("machine"), Column("GiB", "number")), (("short", "1"), ("a name of many words, " * 2, "22")))
    assert text_of(table, width=30).splitlines() == [
        "machine                    GiB",
        "short                        1",
        "a name of many words, a name of many words,",
        "                            22",
    ]


def test_prose_wraps_in_its_column_and_figures_stand_on_its_first_line() -> None:
    table = Table((Column(), Column(kind="number"), Column(kind="reason")), (("weights", "10.69", "word " * 9),))
    assert text_of(table, width=44).splitlines() == [
        "weights  10.69  word word word word word",
        "                word word word word",
    ]


def test_rows_without_room_become_blocks() -> None:
    text = text_of(Table(COLUMNS[:4], ROWS[:1], numbered=True), width=30)
    assert text.splitlines() == [
        " 1  gemma-4-26B-A4B",
        "    files     Q4_K_M",
        "    server    llama.cpp",
        "    tokens/s  87 (63-121)",
    ]


def test_a_row_without_a_number() -> None:
    lines = text_of(Table((Column(),), (("now",), ("5 people",)), numbered=True, first=0)).splitlines()
    assert lines == ["    now", " 1  5 people"]


def test_an_indent() -> None:
    assert text_of(Table((Column("a"), Column("b")), (("x", "y"),), indent=1)).splitlines() == [" a  b", " x  y"]


@pytest.mark.parametrize(("share", "text"), [(0, ""), (1e-6, "▏"), (0.5, "██████"), (1.0, "█" * BAR), (2.0, "█" * BAR)])
def test_a_share(share: float, text: str) -> None:
    assert share_bar(share).plain == text


def test_bars_in_ascii() -> None:
    table = Table(
        (Column(), Column(kind="bar"), Column(kind="bar")),
        (("x", Bar(0.5), IntervalBar(40, 50, 75, 100)), ("y", Bar(1e-6), IntervalBar(1, 2, 3, 100))),
    )
    first, second = text_of(table, width=80, ascii_only=True).splitlines()
    assert first.split() == ["x", "######", "############======"]
    assert second.split() == ["y", "#", "#"]
    wide = text_of(table, width=120).splitlines()
    assert wide[0].split() == ["x", "██████", "████████████████████▒▒▒▒▒▒▒▒▒▒"]


def test_tones() -> None:
    from gyakusan.show.terminal import lines

    (line,) = lines([Table((Column(),), ((Text("no", "bad"),),))], "en", 80)
    assert [style for _, style in line.runs if style] == ["red"]


def test_a_long_name_moves_only_its_own_row() -> None:
    """The others stand on one line; a row without room has its name above."""
    table = Table(
        (Column("machine"), Column("speed", "number"), Column("add")),
        (
            ("RTX 3060", "92", "--a"),
            ("a name of many letters", "5", "--b"),
            ("a name that has no room at all", "7", "--of-many-letters"),
        ),
    )
    lines = text_of(table, width=40).splitlines()
    assert lines[1].split() == ["RTX", "3060", "92", "--a"]
    assert lines[2].split()[-2:] == ["5", "--b"]
    assert lines[3] == "a name that has no room at all"
    assert lines[4].split() == ["7", "--of-many-letters"]
    assert all(len(line) <= 40 for line in lines)
