"""Numbers as Japanese writes them; what is none stays as it was typed."""

from __future__ import annotations

import pytest

from gyakusan.numerals import in_digits, number

VALUES = {
    "〇": 0, "五": 5, "十": 10, "十五": 15, "二十": 20, "九十九": 99, "百": 100, "百五": 105, "千二百": 1200, "一万": 10_000,
    "3万2千": 32_000, "1.5万": 15_000, "百万": 1_000_000, "五十万": 500_000, "1億2,000万": 120_000_000,
    "12": 12, "-5千": -5000, "+1億5万": 100_050_000, "1兆": 10**12, "2,500.50": 2500.5, "二〇": 20, "5千": 5000,
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    assert number(text) == VALUES[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "千百千",
        "2万1億",
        "億万",
        "1万20000",
        "3,50万",
        "十百",
        "人",
        "五人",
        "3²",
        "①",
        "1億-5万",
        "千-5",
        "--5",
        "+-5",
    ],
)
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("五人", "5人"), ("二十人", "20人"), ("５人", "5人"), ("３２ｋ", "32k"), ("3万2千", "32000"),
        ("1.5万トークン", "15000トークン"),
        ("二千件/時", "2000件/時"), ("三年", "3年"), ("一・五", "1・5"), ("32k", "32k"), ("千百千", "千百千"), ("", ""),
        ("max", "max"), ("3²", "3²"), ("1万k", "1万k"), ("12万3k", "12万3k"), ("五GiB", "5GiB"),
        ("五" * 65, "五" * 65),
    ],
)  # fmt: skip
def test_numbers_in_digits(typed: str, read: str) -> None:
    assert in_digits(typed) == read


def test_every_number_below_ten_thousand() -> None:
    """Written as a Japanese reads it, against Python's own digits."""
    digits = "〇一二三四五六七八九"
    for n in range(1, 10_000):
        parts = zip(f"{n:04}", ("千", "百", "十", ""), strict=True)
        written = "".join(("" if d == "1" and unit else digits[int(d)]) + unit for d, unit in parts if d != "0")
        assert number(written) == n
