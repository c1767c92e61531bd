"""Exchange rates with their dates, so that prices can be compared. Facts: data/rates.toml."""

from __future__ import annotations

from msgspec import Struct, structs

from gyakusan.catalog.records import entries
from gyakusan.errors import UnknownName


class RateRecord(Struct, frozen=True):
    """An exchange rate: one unit of `base` costs `rate` units of `quote`.

    name: the pair and the date
    base: currency, ISO 4217
    quote: currency, ISO 4217
    rate: price of one unit of base [quote]
    date: when it held, ISO 8601
    source: where the figure comes from
    checked: when somebody looked there, ISO 8601
    assumed: recalled, not looked up
    """

    name: str
    base: str
    quote: str
    rate: float
    date: str
    source: str
    checked: str
    assumed: bool = False


def rate_records() -> tuple[RateRecord, ...]:
    """Return every exchange rate, oldest first."""
    return tuple(sorted((RateRecord(**e.fields()) for e in entries("rate")), key=lambda r: r.date))


def rate(base: str, quote: str, date: str = "9999") -> RateRecord:
    """Return the newest rate not after `date`, else the oldest. Raises UnknownName for a pair without a record."""
    rates = [r for r in rate_records() if {r.base, r.quote} == {base, quote}]
    if not rates:
        raise UnknownName(
            "The exchange rate of {base} to {quote} is not known.",
            base=base,
            quote=quote,
            mend="Add one to rates.toml.",
        )
    newest = next((r for r in reversed(rates) if r.date <= date), rates[0])
    return newest if newest.base == base else structs.replace(newest, base=base, quote=quote, rate=1 / newest.rate)
