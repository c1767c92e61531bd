"""Amounts of money in the asker's currency, as a sentence or a table says them."""

from __future__ import annotations

from math import isfinite

from msgspec import Struct

from gyakusan.message import Message, say
from gyakusan.planning.request.money import CURRENCY_TEXTS, ExchangeRates, Money

MONTH_HEAD_TEXTS = {"JPY": "yen/month", "USD": "USD/month", "EUR": "EUR/month", "CHF": "CHF/month"}
CURRENCY_HEAD_TEXTS = {"JPY": "yen", "USD": "USD", "EUR": "EUR", "CHF": "CHF"}
PER_TEXTS = {"JPY": "per 10,000", "USD": "per 100", "EUR": "per 100", "CHF": "per 100"}
PER = {"JPY": 10_000.0, "USD": 100.0, "EUR": 100.0, "CHF": 100.0}
"""Currency -> the amount that a gain is told for."""


class Amounts(Struct, frozen=True):
    """Says amounts of yen in one currency.

    currency: ISO 4217
    rates: exchange rates
    """

    currency: str
    rates: ExchangeRates

    @property
    def head(self) -> str:
        """Template of the currency's name in the head of a column."""
        return CURRENCY_HEAD_TEXTS[self.currency]

    def figure(self, yen: float | None) -> str:
        """Return an amount for a table whose head names the currency, "?" where it is not known.

        yen: [JPY]
        """
        amount = None if yen is None or not isfinite(yen) else self.rates.convert(yen, "JPY", self.currency)
        return "?" if amount is None else _digits(amount)

    def words(self, yen: float | None) -> Message:
        """Return an amount with its currency.

        yen: [JPY]
        """
        return Message(CURRENCY_TEXTS[self.currency], {"n": self.figure(yen)})

    def tariff(self, price: Money) -> Message:
        """Return a price of one unit, e.g. of a kWh, in this currency with three digits: "0.196 USD"; as given without a rate."""
        amount = self.rates.convert(price.amount, price.currency, self.currency)
        if amount is None or price.currency == self.currency:
            return money_words(price)
        return Message(CURRENCY_TEXTS[self.currency], {"n": f"{amount:,.3g}"})


def money_words(money: Money) -> Message:
    """Return an amount as it was given: "31 yen", "0.15 USD"."""
    return Message(CURRENCY_TEXTS[money.currency], {"n": f"{money.amount:,.10g}"})


def amount_words(figure: str, currency: str) -> Message:
    """Return a figure with its currency: "181,000 yen", "3,000 GBP"."""
    template = CURRENCY_TEXTS.get(currency)
    return say("{n} {currency}", n=figure, currency=currency) if template is None else Message(template, {"n": figure})


def _digits(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 10 else f"{amount:.2g}"
