"""Prices of cards, computers and what stands around a card, each of one size and seen in one month. Facts: data/prices.toml."""

from __future__ import annotations

from functools import cache
from typing import Literal

from msgspec import Struct

from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.records import entries

What = Literal["card", "computer", "laptop", "kit", "part"]
"""card: a graphics card alone; computer, laptop: complete; kit: a computer without its card; part: of a computer."""
Tax = Literal["included", "excluded", "unknown"]
Confidence = Literal["high", "medium", "low"]
"""high: a shop or a maker, on a day; medium: an average, one end of a range, a second-hand report; low: a guide value, a
rule of thumb, or recalled."""


class PriceRecord(Struct, frozen=True):
    """What something cost somewhere in a month.

    name: of this record
    what: that was sold
    amount: without conversion [currency]
    currency: ISO 4217
    date: day or month when it was seen, ISO 8601
    source: where it was seen
    of: the catalogue's name of the card, or of the complete computer; for a computer around a card, that card
    size_gib: memory of the card, or of a computer that shares one memory [GiB]
    tax: whether the sales tax of the country is in the amount
    country: where it was sold, ISO 3166, "EU" for several of its countries
    product: the shop's name of a computer around a card, "" where `of` says it
    configuration: what else the shop said
    ram_gib: RAM in a computer around a card, 0 = not known [GiB]
    cards: that a computer without cards takes, 0 for everything else
    watts: of the power supply, 0 = not known [W]
    used: second-hand, or sold on
    launch: the maker's price on the day of release, nobody's price of today
    available: False where the shop had none
    in_production: whether it is still made
    confidence: how sure the amount is
    """

    name: str
    what: What
    amount: float
    currency: str
    date: str
    source: str
    of: str = ""
    size_gib: int = 0
    tax: Tax = "unknown"
    country: str = ""
    product: str = ""
    configuration: str = ""
    ram_gib: int = 0
    cards: int = 0
    watts: int = 0
    used: bool = False
    launch: bool = False
    available: bool = True
    in_production: Literal["yes", "no", "unknown"] = "unknown"
    confidence: Confidence = "medium"

    @property
    def month(self) -> str:
        """Year and month in which it was seen, e.g. "2026-09"; a year alone stays a year."""
        return self.date[:7]

    @property
    def has_tax(self) -> bool:
        """Whether tax is in the amount. Shops of Japan and Europe show it with tax, those of the United States without."""
        return self.tax == "included" or (self.tax == "unknown" and self.country != "US")


@cache
def price_records() -> tuple[PriceRecord, ...]:
    """Return every price of the catalogue, the user's own first. Raises BadRecord."""
    return tuple(map(_record, entries("price")))


def prices_of(name: str, size_gib: int) -> tuple[PriceRecord, ...]:
    """Return the prices of a card or a computer of one size, oldest first, complete computers around it included."""
    return _by_thing().get((name, size_gib), ())


@cache
def _by_thing() -> dict[tuple[str, int], tuple[PriceRecord, ...]]:
    found: dict[tuple[str, int], list[PriceRecord]] = {}
    for price in sorted(price_records(), key=lambda p: p.date):
        if price.of:
            found.setdefault((price.of, price.size_gib), []).append(price)
    return {key: tuple(prices) for key, prices in found.items()}


def _record(entry: Entry) -> PriceRecord:
    try:
        return PriceRecord(**entry.fields())
    except TypeError as error:
        raise broken(entry, str(error).replace("__init__() ", "")) from error
