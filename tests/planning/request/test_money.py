"""Amounts with a currency, and nothing without."""

from __future__ import annotations

import pytest

from gyakusan.errors import BadQuantity
from gyakusan.planning.request.money import Money, exchange_rates, parse_money, parse_rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000000JPY", Money(1_000_000, "JPY")),
        ("¥1,000,000", Money(1_000_000, "JPY")),
        ("100万円", Money(1_000_000, "JPY")),
        ("3000 usd", Money(3000, "USD")),
        ("$3k", Money(3000, "USD")),
        ("2500.50EUR", Money(2500.5, "EUR")),
    ],
)
def test_amounts(text: str, expected: Money) -> None:
    assert parse_money(text) == expected


@pytest.mark.parametrize(
    "text", ["", "JPY", "1000000", "12 parsecs", "-5JPY", "0JPY", "1e400JPY", "9" * 30 + "JPY", "5GBP"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_money(text)


def test_rates_go_both_ways_and_may_be_given() -> None:
    given = exchange_rates({"USD": 100.0})
    assert given.convert(5, "USD", "JPY") == 500
    assert given.convert(500, "JPY", "USD") == 5
    assert given.convert(1, "GBP", "JPY") is None
    assert parse_rate("usd=155.5") == ("USD", 155.5)
    with pytest.raises(BadQuantity):
        parse_rate("USD")
