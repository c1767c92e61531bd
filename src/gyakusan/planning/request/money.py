"""Amounts of money: read, converted with dated rates, printed. Inside, an amount carries its currency (ISO 4217)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gyakusan.catalog.rates import rate
from gyakusan.errors import BadQuantity, UnknownName

CURRENCIES = ("JPY", "USD", "EUR")
_SIGNS = {"¥": "JPY", "円": "JPY", "$": "USD", "€": "EUR", "YEN": "JPY"}
_AMOUNT = re.compile(r"\s*([^\d\s.,+-]*)\s*([+-]?\d[\d,_]*(?:\.\d+)?)\s*(k|m|万)?\s*([^\d\s.,]*)\s*", re.IGNORECASE)
_TIMES = {"": 1, "k": 1e3, "m": 1e6, "万": 1e4}


@dataclass(frozen=True, slots=True)
class Money:
    """amount in `currency`."""

    amount: float
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:,.0f} {self.currency}"


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """yen: for one unit of each currency [JPY]; date: ISO 8601, of the oldest; source: where they were seen."""

    yen: Mapping[str, float]
    date: str
    source: str

    def convert(self, amount: float, currency: str, to: str) -> float | None:
        """The amount in another currency, None without a rate."""
        if currency == to:
            return amount
        if currency not in self.yen or to not in self.yen:
            return None
        return amount * self.yen[currency] / self.yen[to]


def parse_money(text: str) -> Money:
    """ "1000000JPY", "¥1,000,000", "100万円", "3000 USD", "$3k" -> Money.

    Raises BadQuantity for no number, no currency or an unknown one, or an amount that is not positive.
    """
    found = _AMOUNT.fullmatch(text) if len(text) <= 64 else None
    if found is None:
        raise BadQuantity(
            "{text} is no amount of money.", text=repr(text[:40]), mend="Write e.g. 1000000JPY or 3000USD."
        )
    before, number, times, after = found.groups()
    said = (before or after).upper()
    currency = _SIGNS.get(said, said)
    if not currency:
        raise BadQuantity("{text} names no currency.", text=repr(text[:40]), mend="Write e.g. 1000000JPY or 3000USD.")
    if currency not in CURRENCIES:
        raise BadQuantity(
            "{currency} is no currency that is known here.",
            currency=repr(said),
            known=", ".join(CURRENCIES),
            mend="Known: {known}.",
        )
    amount = float(number.replace(",", "").replace("_", "")) * _TIMES[(times or "").lower()]
    if not 0 < amount < 1e13:
        raise BadQuantity("{text} is no possible amount.", text=repr(text[:40]), mend="Give an amount above 0.")
    return Money(amount, currency)


def exchange_rates(given: Mapping[str, float] | None = None) -> ExchangeRates:
    """The newest rates of the catalogue; `given` wins: yen for one unit of a currency. A missing one goes through dollars."""
    yen, dates, sources = {"JPY": 1.0}, [], []
    for currency, through in (("USD", "JPY"), ("EUR", "USD")):
        try:
            found = rate(currency, through)
        except UnknownName:
            continue
        yen[currency] = found.rate * yen[through]
        dates.append(found.date)
        sources.append(found.source)
    if given:
        return ExchangeRates({**yen, **given}, min(dates, default=""), "given")
    return ExchangeRates(yen, min(dates, default=""), ", ".join(dict.fromkeys(sources)))


def parse_rate(text: str) -> tuple[str, float]:
    """ "USD=155" -> ("USD", 155.0), yen for one unit. Raises BadQuantity."""
    found = re.fullmatch(r"\s*([A-Za-z]{3})\s*=\s*(\d{1,6}(?:\.\d+)?)\s*", text)
    if found is None or float(found[2]) <= 0 or found[1].upper() not in CURRENCIES:
        raise BadQuantity("{text} is no rate.", text=repr(text[:40]), mend="Write yen for one unit, e.g. USD=155.")
    return found[1].upper(), float(found[2])
