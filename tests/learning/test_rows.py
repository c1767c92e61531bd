"""Files of measurements: whole, versioned, without names of people or places; what is none is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from gyakusan.errors import BadRecord
from gyakusan.learning.rows import MOST_BUSY, Row, is_crowded, parsed, written
from gyakusan.text import tell

ROW = Row("decode", "AMD EPYC", "llama.cpp", 2, "abc", 40.0, 20.0, "2026-11-28", "SmolLM2-135M", "Q4_1", 4, 64.0, 0.0)


def test_what_is_written_is_read() -> None:
    rows = (ROW, structs.replace(ROW, quantity="ttft", predicted=0.5, measured=1.0, prompts=0.4))
    assert parsed(written(rows).encode(), "f") == rows


def test_slower_is_negative_for_speeds_and_times() -> None:
    assert ROW.shift == pytest.approx(-0.6931, abs=1e-4)
    assert structs.replace(ROW, quantity="ttft", predicted=1.0, measured=2.0).shift == pytest.approx(-0.6931, abs=1e-4)


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_other_programs_crowd_a_computer_from_one_share_on(cores: int) -> None:
    assert not is_crowded(MOST_BUSY * cores, cores)
    assert is_crowded(MOST_BUSY * cores + 0.01, cores)
    assert structs.replace(ROW, busy=MOST_BUSY + 0.01).crowded
    assert not structs.replace(ROW, busy=MOST_BUSY).crowded


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"measured": 0}, "above 0"),
    ({"measured": -1}, "above 0"),
    ({"predicted": 1e30}, "above 0"),
    ({"measured": float("inf")}, "no finite number"),
    ({"busy": float("nan")}, "no finite number"),
    ({"users": 0}, "count"),
    ({"prompts": 2}, "count"),
    ({"date": "yesterday"}, "date"),
    ({"date": "2019-02-31"}, "date"),
    ({"measured": 5e-324, "predicted": 1e17}, "too far apart"),
    ({"device": ""}, "name"),
    ({"device": "x" * 200}, "name"),
    ({"model": "/home/me/model.gguf"}, "name"),
    ({"device": "a\u202eb"}, "name"),
    ({"quantity": "price"}, "price"),
    ({"host": "my-laptop"}, "host"),
    ({"users": "many"}, "int"),
]


@pytest.mark.parametrize(("change", "word"), BROKEN)
def test_a_row_that_cannot_be_is_refused(change: dict[str, Any], word: str) -> None:
    document = json.loads(written([ROW]))
    document["rows"][0].update(change)
    with pytest.raises(BadRecord, match=word):
        parsed(json.dumps(document).encode(), "f.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": True}, "rows[0].usersの種類はboolです。必要なのはintです"),
        ({"host": "x"}, "rows[0]にはフィールドhostを指定できません"),
        ({"quantity": "price"}, "rows[0].quantityを「price」にすることはできません"),
        ({"device": None}, "rows[0].deviceの種類はnullです。必要なのはstrです"),
    ],
)
def test_a_misfit_is_said_in_japanese(change: dict[str, Any], said: str) -> None:
    document = json.loads(written([ROW]))
    document["rows"][0].update(change)
    with pytest.raises(BadRecord) as caught:
        parsed(json.dumps(document).encode(), "f.json")
    assert said in tell(caught.value.message, "ja")


def test_a_field_that_lacks_and_a_parser_are_said_in_japanese() -> None:
    for text, said in (
        ('{"schema": "gyakusan/measurements/1"}', "全体にフィールドrowsがありません"),
        ("{", "文字列で書かれたキー"),
    ):
        with pytest.raises(BadRecord) as caught:
            parsed(text.encode(), "f.json")
        assert said in tell(caught.value.message, "ja")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "gyakusan/measurements/9", "rows": []}', "\xff", "[" * 9999]
)
def test_what_is_no_such_file(text: str) -> None:
    with pytest.raises(BadRecord, match=r"f\.json is not a file of measurements"):
        parsed(text.encode("latin-1"), "f.json")


def test_too_many_rows() -> None:
    from gyakusan.learning import rows

    many = written([ROW] * 3)
    assert len(parsed(many.encode(), "f")) == 3
    before = rows.MOST_ROWS
    try:
        rows.MOST_ROWS = 2
        with pytest.raises(BadRecord, match="more than 2 rows"):
            parsed(many.encode(), "f")
    finally:
        rows.MOST_ROWS = before
