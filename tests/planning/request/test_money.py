"""Amounts with a currency, and nothing without."""

from __future__ import annotations

import pytest

from gyakusan.errors import BadQuantity
from gyakusan.planning.request.money import (
    Money,
    currency_of_locale,
    currency_of_reader,
    exchange_rates,
    parse_currency,
    parse_money,
    parse_rate,
)
from gyakusan.text import tell


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000000JPY", Money(1_000_000, "JPY")),
        ("¥1,000,000", Money(1_000_000, "JPY")),
        ("100万円", Money(1_000_000, "JPY")),
        ("3000 usd", Money(3000, "USD")),
        ("$3k", Money(3000, "USD")),
        ("2500.50EUR", Money(2500.5, "EUR")),
        ("百万円", Money(1_000_000, "JPY")),
        ("五十万円", Money(500_000, "JPY")),
        ("10万円", Money(100_000, "JPY")),
        ("1.5百万円", Money(1_500_000, "JPY")),
        ("1億2,000万円", Money(120_000_000, "JPY")),
        ("3万5千円", Money(35_000, "JPY")),
        ("１００万円", Money(1_000_000, "JPY")),
        ("￥300,000", Money(300_000, "JPY")),
        ("3kUSD", Money(3000, "USD")),
        ("3,500ドル", Money(3500, "USD")),
        ("2000フラン", Money(2000, "CHF")),
        ("1m yen", Money(1_000_000, "JPY")),
        ("1億百万円", Money(101_000_000, "JPY")),
        ("12百万円", Money(12_000_000, "JPY")),
        ("1,000千円", Money(1_000_000, "JPY")),
        ("1.250m yen", Money(1_250_000, "JPY")),
        ("2000 chf", Money(2000, "CHF")),
        ("100 万円", Money(1_000_000, "JPY")),
        ("1兆円", Money(10**12, "JPY")),
    ],
)
def test_amounts(text: str, expected: Money) -> None:
    assert parse_money(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "JPY",
        "1000000",
        "12 parsecs",
        "-5JPY",
        "0JPY",
        "1e400JPY",
        "9" * 30 + "JPY",
        "5GBP",
        "1.2.3JPY",
        "円",
        "--5JPY",
        "3000,50EUR",
        "1,5EUR",
        "1.000EUR",
        "1.000.000EUR",
        "1.500,50EUR",
        "1,0,0JPY",
        "1__000JPY",
        "2万1億円",
        "1万2万円",
        "億万円",
        "1万20000円",
        "3,50万円",
        "千百千円",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_money(text)


def test_a_currency_may_stand_beside() -> None:
    assert parse_money("3k", "USD") == Money(3000, "USD")
    assert parse_currency(" ¥ ") == "JPY"
    with pytest.raises(BadQuantity, match="GBP"):
        parse_currency("GBP")


@pytest.mark.parametrize(
    ("money", "english", "japanese"),
    [
        (Money(749_800, "JPY"), "749,800 yen", "749,800円"),
        (Money(2300, "USD"), "2,300 USD", "2,300ドル"),
        (Money(2300, "EUR"), "2,300 EUR", "2,300ユーロ"),
        (Money(2300, "CHF"), "2,300 CHF", "2,300スイスフラン"),
    ],
)
def test_an_amount_is_written_as_people_write_it(money: Money, english: str, japanese: str) -> None:
    assert tell(money.text, "en") == english
    assert tell(money.text, "ja") == japanese


@pytest.mark.parametrize(
    ("environment", "currency"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "JPY"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "en_US.UTF-8"}, "USD"),
        ({"LC_MONETARY": "de_CH"}, "CHF"),
        ({"LANG": "fr_FR"}, "EUR"),
        ({"LANG": "en_GB.UTF-8"}, ""),
        ({"LANG": "C.UTF-8"}, ""),
        ({}, ""),
    ],
)
def test_the_currency_of_a_country(environment: dict[str, str], currency: str) -> None:
    assert currency_of_locale(environment) == currency
    for language, usual in (("en", "USD"), ("ja", "JPY")):
        assert currency_of_reader(environment, language) == (currency or usual)


def test_the_newest_rates_are_those_of_the_last_month() -> None:
    rates = exchange_rates()
    assert rates.date == "2026-10"
    assert rates.yen["USD"] == 157.93
    assert rates.yen["EUR"] == pytest.approx(157.93 / 0.8927)
    assert rates.yen["CHF"] == pytest.approx(157.93 / 0.8286)


def test_rates_go_both_ways_and_may_be_given() -> None:
    given = exchange_rates({"USD": 100.0})
    assert given.convert(5, "USD", "JPY") == 500
    assert given.convert(500, "JPY", "USD") == 5
    assert given.convert(1, "GBP", "JPY") is None
    assert parse_rate("usd=155.5") == ("USD", 155.5)
    with pytest.raises(BadQuantity):
        parse_rate("USD")


@pytest.mark.parametrize("text", ["3000,50EUR", "1.000EUR"])
def test_how_digits_are_grouped_is_said(text: str) -> None:
    with pytest.raises(BadQuantity, match=r"3000\.50EUR"):
        parse_money(text)


def test_a_yen_has_no_rate() -> None:
    with pytest.raises(BadQuantity, match="one yen"):
        parse_rate("jpy=2")


@pytest.mark.parametrize("text", ["0JPY", "10000000000000JPY", "９９９９９９９９９９兆円"])
def test_the_range_of_amounts_is_named(text: str) -> None:
    with pytest.raises(BadQuantity, match="Give an amount above 0 and below 10,000,000,000,000"):
        parse_money(text)
