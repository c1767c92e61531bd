"""Quantities are parsed in one place, and a unit is never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.errors import BadQuantity
from gyakusan.units import GIB, format_bytes, format_count, format_decimal, parse_bytes, parse_count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24 GiB", 24 * GIB),
        ("24GiB", 24 * GIB),
        ("24gib", 24 * GIB),
        ("24 GB", 24 * 10**9),
        ("1.5 GiB", 3 * GIB // 2),
        ("512MiB", GIB // 2),
        ("2 TiB", 2048 * GIB),
        ("1,024 MiB", GIB),
        ("二十四GiB", 24 * GIB),
        ("２４ＧｉＢ", 24 * GIB),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize(
    "text", ["24", "", "GiB", "-24GiB", "0GiB", "1e9 GiB", "24 XiB", "1" * 100 + "GiB", "9999999 TiB"]
)
def test_no_size(text: str) -> None:
    with pytest.raises(BadQuantity) as caught:
        parse_bytes(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("text", "expected"), [("32k", 32768), ("131072", 131072), ("131,072", 131072), ("1m", 2**20)])
def test_counts(text: str, expected: int) -> None:
    assert parse_count(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("100k", 100_000), ("1.5m", 1_500_000), ("2ki", 2048), ("7", 7)])
def test_people_and_budgets_are_decimal(text: str, expected: int) -> None:
    assert parse_count(text, length=False) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "1e3", "99999999999", "4 GiB"])
def test_no_count(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_count(text)


@given(st.integers(min_value=1, max_value=2**50))
def test_what_is_printed_can_be_parsed(size: int) -> None:
    text = format_bytes(size)
    parsed = parse_bytes(text if not text.endswith(" B") else text.replace(" B", "b"))
    assert abs(parsed - size) <= max(size * 0.01, 1)


@given(st.text(max_size=80))
def test_any_text_is_a_size_or_a_clear_error(text: str) -> None:
    assert sized(text) is None or sized(text) > 0


def sized(text: str) -> int | None:
    try:
        return parse_bytes(text)
    except BadQuantity as error:
        return None if error.mend else -1


def test_printing() -> None:
    assert format_bytes(25769803776) == "24.00 GiB"
    assert format_bytes(None) == "?"
    assert format_decimal(8_988_000_000) == "9.0 GB"
    assert format_count(14_770_033_664) == "14.8 B"
    assert format_count(131072) == "131,072"


@pytest.mark.parametrize(
    ("value", "text"),
    [(999.7e6, "1 B"), (998.9e6, "999 M"), (1e15, "1,000 T"), (30.5e9, "30.5 B"), (999_700, "999,700"), (1e6, "1 M")],
)
def test_counts_have_no_exponent(value: float, text: str) -> None:
    assert format_count(value) == text


def test_people_as_they_are_counted_in_japanese() -> None:
    assert parse_count("5人", length=False) == parse_count("５名", length=False) == 5
    assert parse_count("五人", length=False) == 5
    assert parse_count("二十名", length=False) == 20
    assert parse_count("3万2千") == parse_count("3万2千トークン") == 32_000
    assert parse_count("四枚", length=False) == 4
    for wrong, length in (("千百千", True), ("トークン", True), ("5人", True), ("人", False), ("5人人", False)):
        with pytest.raises(BadQuantity):
            parse_count(wrong, length=length)


@pytest.mark.parametrize("text", ["5人くらい", "about 5", "5 parsecs"])
def test_a_number_of_people_is_mended_by_a_number_not_by_a_unit_of_memory(text: str) -> None:
    with pytest.raises(BadQuantity) as error:
        parse_count(text, length=False)
    assert "Write a whole number, e.g. 5." in str(error.value)
    with pytest.raises(BadQuantity, match="Write 32768 or 32k"):
        parse_count(text)
