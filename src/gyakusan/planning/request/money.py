"""Amounts of money: read, converted with dated rates, printed.

An amount carries its currency (ISO 4217).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gyakusan.catalog.rates import rate
from gyakusan.errors import BadQuantity, UnknownName

CURRENCIES = ("JPY", "USD", "EUR")
_SIGNS = {"¥": "JPY", "円": "JPY", "$": "USD", "€": "EUR", "YEN": "JPY"}
_AMOUNT = re.compile(r"\s*([^\d\s.,+-]*)\s*([+-]?\d[\d,_]*(?:\.\d+)?)\s*(k|m|万)?\s*([^\d\s.,]*)\s*", re.IGNORECASE)
_MULTIPLES = {"": 1, "k": 1e3, "m": 1e6, "万": 1e4}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of money.

    amount: in units of the currency
    currency: ISO 4217, one of CURRENCIES
    """

    amount: float
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:,.0f} {self.currency}"


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """Exchange rates between the known currencies.

    yen: currency -> price of one unit of it [JPY]
    date: of the oldest rate, ISO 8601, "" = none is known
    source: where the rates were seen, "given" for the user's own
    """

    yen: Mapping[str, float]
    date: str
    source: str

    def convert(self, amount: float, currency: str, to: str) -> float | None:
        """Return the amount in another currency, None without a rate."""
        if currency == to:
            return amount
        if currency not in self.yen or to not in self.yen:
            return None
        return amount * self.yen[currency] / self.yen[to]


def parse_money(text: str) -> Money:
    """Read "1000000JPY", "¥1,000,000", "100万円", "3000 USD" or "$3k".

    Raises BadQuantity for no number, no currency or an unknown one, or an amount that is not positive.
    """
    match = _AMOUNT.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise BadQuantity(
            "An amount of money was expected, not {text}.",
            text=repr(text[:40]),
            mend="Write e.g. 1000000JPY or 3000USD.",
        )
    before, number, times, after = match.groups()
    unit = (before or after).upper()
    currency = _SIGNS.get(unit, unit)
    if not currency:
        raise BadQuantity("{text} has no currency.", text=repr(text[:40]), mend="Write e.g. 1000000JPY or 3000USD.")
    if currency not in CURRENCIES:
        raise BadQuantity(
            "{currency} is not a known currency.",
            currency=repr(unit),
            known=", ".join(CURRENCIES),
            mend="Known: {known}.",
        )
    amount = float(number.replace(",", "").replace("_", "")) * _MULTIPLES[(times or "").lower()]
    if not 0 < amount < 1e13:
        raise BadQuantity(
            "{text} is outside the range of amounts.", text=repr(text[:40]), mend="Give an amount above 0."
        )
    return Money(amount, currency)


def exchange_rates(given: Mapping[str, float] | None = None) -> ExchangeRates:
    """Return the newest rates of the catalogue; a currency without a rate to yen goes through dollars.

    given: rates of the user, which win over the catalogue's: currency -> price of one unit [JPY]
    """
    yen, dates, sources = {"JPY": 1.0}, [], []
    for currency, through in (("USD", "JPY"), ("EUR", "USD")):
        try:
            newest = rate(currency, through)
        except UnknownName:
            continue
        yen[currency] = newest.rate * yen[through]
        dates.append(newest.date)
        sources.append(newest.source)
    if given:
        return ExchangeRates({**yen, **given}, min(dates, default=""), "given")
    return ExchangeRates(yen, min(dates, default=""), ", ".join(dict.fromkeys(sources)))


def parse_rate(text: str) -> tuple[str, float]:
    """Read "USD=155" as ("USD", 155.0), the price of one unit [JPY]. Raises BadQuantity."""
    match = re.fullmatch(r"\s*([A-Za-z]{3})\s*=\s*(\d{1,6}(?:\.\d+)?)\s*", text)
    if match is None or float(match[2]) <= 0 or match[1].upper() not in CURRENCIES:
        raise BadQuantity(
            "An exchange rate was expected, not {text}.",
            text=repr(text[:40]),
            mend="Write yen for one unit, e.g. USD=155.",
        )
    return match[1].upper(), float(match[2])
