"""What a currency is worth: records with a date, so that a price can be compared. Facts: data/rates.toml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gyakusan.catalog.records import entries
from gyakusan.errors import UnknownName


@dataclass(frozen=True, slots=True)
class RateRecord:
    """One unit of `base` costs `rate` of `quote` (ISO 4217); date: when; assumed: recalled, not looked up."""

    name: str
    base: str
    quote: str
    rate: float
    date: str
    source: str
    checked: str
    assumed: bool = False


def rate_records() -> tuple[RateRecord, ...]:
    """Every exchange rate, oldest first."""
    found = [_record(dict(e.table())) for e in entries("rate")]
    return tuple(sorted(found, key=lambda r: r.date))


def rate(base: str, quote: str, date: str = "9999") -> RateRecord:
    """The newest rate not after `date`, else the oldest. Raises UnknownName for a pair that nobody wrote down."""
    every = [r for r in rate_records() if {r.base, r.quote} == {base, quote}]
    if not every:
        raise UnknownName(
            "No exchange rate of {base} to {quote} is known.", base=base, quote=quote, mend="Add one to rates.toml."
        )
    found = next((r for r in reversed(every) if r.date <= date), every[0])
    return found if found.base == base else _turned(found)


def _turned(r: RateRecord) -> RateRecord:
    return RateRecord(r.name, r.quote, r.base, 1 / r.rate, r.date, r.source, r.checked, r.assumed)


def _record(fields: dict[str, Any]) -> RateRecord:
    return RateRecord(**fields)
