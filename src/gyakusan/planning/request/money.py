"""Amounts of money: read, converted with dated rates, written.

An amount carries its currency (ISO 4217). Where one asks decides three things: which prices count first, whether a price is
shown with tax, and what a socket of the house gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from gyakusan.catalog.rates import rate
from gyakusan.errors import BadQuantity, UnknownName
from gyakusan.message import Message, quoted, say
from gyakusan.numerals import KANJI, half_width
from gyakusan.numerals import number as number_of
from gyakusan.patterns import late

CURRENCIES = ("JPY", "USD", "EUR", "CHF")
_WORDS = {
    "JPY": ("¥", "円", "YEN"),
    "USD": ("$", "US$", "ドル", "DOLLARS", "DOLLAR"),
    "EUR": ("€", "ユーロ", "EURO", "EUROS"),
    "CHF": ("フラン", "スイスフラン", "FRANCS", "SFR"),
}
MOST = 1e13
"""Amounts are below it, in any currency: more is a typing error."""
_SIGNS = {word: currency for currency, words in _WORDS.items() for word in words}
_AMOUNT = late(
    rf"\s*([^\d\s.,+-]*?)\s*([+-]?[\d{KANJI}][\d,_.{KANJI}]*)\s*([km])?\s*([^\d\s.,]*)\s*",
    re.IGNORECASE,
)
_SPACED = late(rf"(?<=\d)\s+(?=[{KANJI}])")
"""Blanks within a number: "100 万円"."""
_AMBIGUOUS = late(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)
"""One thousand in Germany, one in England."""
GROUPS = say("Write e.g. 3000.50EUR or 1,000,000JPY: commas between groups of three digits, a point before decimals.")
_MULTIPLES = {"": 1, "k": 1e3, "m": 1e6}
CURRENCY_TEXTS = {"JPY": "{n} yen", "USD": "{n} USD", "EUR": "{n} EUR", "CHF": "{n} CHF"}
"""Templates of an amount."""
SALES_TAX = {"JPY": 0.10, "USD": 0.0, "EUR": 0.20, "CHF": 0.081}
"""Tax in the prices that shops show. The United States show none; Europe: about that of Germany and the Netherlands."""
TAX_OF_COUNTRY = {"JP": 0.10, "US": 0.0, "DE": 0.19, "NL": 0.21, "EU": 0.20, "FR": 0.20, "CH": 0.081}
_EURO = frozenset(("AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "LU", "NL", "PT"))


class Money(Struct, frozen=True):
    """An amount of money.

    amount: in units of the currency
    currency: ISO 4217, one of CURRENCIES
    """

    amount: float
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:,.0f} {self.currency}"

    @property
    def text(self) -> Message:
        """The amount as people of the answer's language write it: "749,800 yen", 749,800円."""
        return Message(CURRENCY_TEXTS[self.currency], {"n": f"{self.amount:,.0f}"})


class ExchangeRates(Struct, frozen=True):
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


def parse_money(text: str, currency: str = "") -> Money:
    """Read "1000000JPY", "¥1,000,000", "100万円", "百万円", "3000 USD", "$3k" or full-width digits.

    currency: of a number that names none
    Raises BadQuantity for no number, no currency or an unknown one, or an amount that is not positive.
    """
    match = _AMOUNT.fullmatch(_SPACED.sub("", half_width(text))) if len(text) <= 64 else None
    number = None if match is None else number_of(match[2])
    if match is None or number is None or (not match[3] and _AMBIGUOUS.fullmatch(match[2])):
        grouped = match is not None and re.search("[.,_]", match[2])
        raise BadQuantity(
            "An amount of money was expected, not {text}.",
            text=quoted(text, 40),
            mend=GROUPS if grouped else "Write e.g. 1000000JPY or 3000USD.",
        )
    unit = (match[1] or match[4]).upper()
    currency = _SIGNS.get(unit, unit) or currency
    if not currency:
        raise BadQuantity("{text} has no currency.", text=quoted(text, 40), mend="Write e.g. 1000000JPY or 3000USD.")
    amount = number * _MULTIPLES[(match[3] or "").lower()]
    if not 0 < amount < MOST:
        raise BadQuantity(
            "{text} is outside the range of amounts.", text=quoted(text, 40), most=f"{MOST:,.0f}",
            mend="Give an amount above 0 and below {most}.",
        )  # fmt: skip
    return Money(amount, parse_currency(currency))


def parse_currency(text: str) -> str:
    """Read "usd", "¥" or "ドル" as one of CURRENCIES. Raises BadQuantity."""
    unit = half_width(text).strip().upper()
    currency = _SIGNS.get(unit, unit)
    if currency not in CURRENCIES:
        raise BadQuantity(
            "{currency} is not a known currency.",
            currency=quoted(unit, 40),
            known=", ".join(CURRENCIES),
            mend="Known: {known}.",
        )
    return currency


def currency_of_locale(environment: Mapping[str, str]) -> str:
    """Return the currency of the country that the environment names ("ja_JP.UTF-8"), "" if it names none."""
    named = next((v for k in ("LC_ALL", "LC_MONETARY", "LANG") if (v := environment.get(k))), "")
    country = re.match(r"[a-z]{2,3}_([A-Z]{2})", named)
    if country is None:
        return ""
    return {"JP": "JPY", "US": "USD", "CH": "CHF"}.get(country[1], "EUR" if country[1] in _EURO else "")


def currency_of_reader(environment: Mapping[str, str], language: str) -> str:
    """Return the currency of who names none: of the country of the locale where we know it, else of the language.

    language: of the output; Japanese is read in Japan, and most prices in English are in dollars
    """
    return currency_of_locale(environment) or ("JPY" if language == "ja" else "USD")


def exchange_rates(given: Mapping[str, float] | None = None) -> ExchangeRates:
    """Return the newest rates of the catalogue; a currency without a rate to yen goes through dollars.

    given: rates of the user, which win over the catalogue's: currency -> price of one unit [JPY]
    """
    yen, dates, sources = {"JPY": 1.0}, [], []
    for currency, through in (("USD", "JPY"), ("EUR", "USD"), ("CHF", "USD")):
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
    if match is not None and match[1].upper() == "JPY":
        raise BadQuantity("A yen is always one yen.", mend="Give rates of other currencies, e.g. USD=155.")
    if match is None or float(match[2]) <= 0 or match[1].upper() not in CURRENCIES:
        raise BadQuantity(
            "An exchange rate was expected, not {text}.",
            text=quoted(text, 40),
            mend="Write yen for one unit, e.g. USD=155.",
        )
    return match[1].upper(), float(match[2])
