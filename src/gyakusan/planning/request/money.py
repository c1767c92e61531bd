"""Amounts of money: read, converted with dated rates, written.

An amount carries its currency (ISO 4217). Where one asks decides three things: which prices count first, whether a price is
shown with tax, and what a socket of the house gives.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from msgspec import Struct

from gyakusan.catalog.rates import rate
from gyakusan.errors import BadQuantity, UnknownName
from gyakusan.message import Message, quoted, say

CURRENCIES = ("JPY", "USD", "EUR", "CHF")
_WORDS = {
    "JPY": ("¥", "円", "YEN"),
    "USD": ("$", "US$", "ドル", "DOLLARS", "DOLLAR"),
    "EUR": ("€", "ユーロ", "EURO", "EUROS"),
    "CHF": ("フラン", "スイスフラン", "FRANCS", "SFR"),
}
_SIGNS = {word: currency for currency, words in _WORDS.items() for word in words}
_AMOUNT = re.compile(
    r"\s*([^\d\s.,+-]*?)\s*([+-]?[\d〇一二三四五六七八九十百千万億][\d,_.〇一二三四五六七八九十百千万億]*)\s*([km])?\s*([^\d\s.,]*)\s*",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"[+-]?(\d+|\d{1,3}(?:,\d{3})+|\d{1,3}(?:_\d{3})+)(\.\d+)?", re.ASCII)
"""Digits, their groups of three separated by commas. A comma is no decimal point here, and a point no separator."""
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)
"""One thousand in Germany, one in England."""
GROUPS = say("Write e.g. 3000.50EUR or 1,000,000JPY: commas between groups of three digits, a point before decimals.")
_DIGITS = {c: str(n) for n, c in enumerate("〇一二三四五六七八九")}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "億": 10**8}
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
    match = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", text)) if len(text) <= 64 else None
    number = None if match is None else _number(match[2])
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
    if not 0 < amount < 1e13:
        raise BadQuantity(
            "{text} is outside the range of amounts.", text=quoted(text, 40), mend="Give an amount above 0."
        )
    return Money(amount, parse_currency(currency))


def parse_currency(text: str) -> str:
    """Read "usd", "¥" or "ドル" as one of CURRENCIES. Raises BadQuantity."""
    unit = unicodedata.normalize("NFKC", text).strip().upper()
    currency = _SIGNS.get(unit, unit)
    if currency not in CURRENCIES:
        raise BadQuantity(
            "{currency} is not a known currency.",
            currency=quoted(unit, 40),
            known=", ".join(CURRENCIES),
            mend="Known: {known}.",
        )
    return currency


def _number(text: str) -> float | None:
    """Return the value of "1,000,000", "2500.50", "100万", "百万", "1億2000万" or "5千"; None for what is no number."""
    if "." in text and "," in text and text.rindex(",") > text.index("."):
        return None
    *large, rest = re.split("(?<=[億万])", text)
    total, last = 0.0, float("inf")
    for part in large:
        unit = _LARGE[part[-1]]
        value = 1.0 if part[:-1] == "" and last == float("inf") else _below(part[:-1])
        if value is None or unit >= last:
            return None
        total, last = total + value * unit, unit
    value = 0.0 if large and not rest else _below(rest)
    return None if value is None or value >= last else total + value


def _below(text: str) -> float | None:
    """Return the value of a number below 万: "2,500.50", "5千", "千二百", "1.5百"; None for what is none."""
    *small, rest = re.split("(?<=[千百十])", text)
    total, last = 0.0, float("inf")
    for part in small:
        unit = _SMALL[part[-1]]
        value = 1.0 if part[:-1] == "" else _plain(part[:-1])
        if value is None or unit >= last or (value >= 10 and total > 0):
            return None
        total, last = total + value * unit, unit
    value = 0.0 if small and not rest else _plain(rest)
    return None if value is None or value >= last else total + value


def _plain(text: str) -> float | None:
    """Return the value of digits with their groups, None if there are none or the groups are not of three digits."""
    digits = "".join(_DIGITS.get(c, c) for c in text)
    whole = _GROUPED.fullmatch(digits)
    return float(re.sub("[,_]", "", digits)) if whole else None


def currency_of_locale(environment: Mapping[str, str]) -> str:
    """Return the currency of the country that the environment names ("ja_JP.UTF-8"), "" if it names none."""
    named = next((v for k in ("LC_ALL", "LC_MONETARY", "LANG") if (v := environment.get(k))), "")
    country = re.match(r"[a-z]{2,3}_([A-Z]{2})", named)
    if country is None:
        return ""
    return {"JP": "JPY", "US": "USD", "CH": "CHF"}.get(country[1], "EUR" if country[1] in _EURO else "")


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
