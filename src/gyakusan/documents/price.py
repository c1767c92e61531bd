"""JSON of a price: the sum in the asker's currency, and what it consists of."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.prices import price_facts


class SeenPriceJson(Struct, frozen=True):
    """A price that was seen.

    amount: in `currency`
    currency: ISO 4217
    date: ISO 8601
    source: where it was seen
    used: true for second-hand
    """

    amount: float
    currency: str
    date: str
    source: str
    used: bool


class PriceItemJson(Struct, frozen=True):
    """Something that is bought.

    what: card, computer, laptop, kit (a computer without its card) or part
    name: of it
    quantity: how many
    size_gib: memory of one, of a kit its RAM, 0 = it has none [GiB]
    amount: price of one as it was seen, in `currency`
    currency: ISO 4217
    tax: included or excluded: whether tax is in `amount`
    used: true for second-hand
    month: when it was seen, YYYY-MM
    source: where it was seen
    kind: list (the maker's price), shop, street (comparisons, market reports, articles), estimate, or given (by the asker)
    place: site or publication where it was seen; empty if none is known
    confidence: high, medium, or low for rules of thumb and for what was converted
    paid: for all, in the asker's currency, with the tax of his country, whole for one
    rate: of the conversion, asker's currency for one unit of `currency`; null if nothing was converted
    tax_removed: tax of the country of sale that a conversion takes off, as a share of the price without it
    tax_added: share that his country's tax adds to a price without tax
    card_price: of a computer that costs less than its card alone, the price of that card in the asker's currency, else 0
    """

    what: str
    name: str
    quantity: int
    size_gib: int
    amount: float
    currency: str
    tax: str
    used: bool
    month: str
    source: str
    kind: str
    place: str
    confidence: str
    paid: float
    rate: float | None
    tax_removed: float
    tax_added: float
    card_price: float


class PriceJson(Struct, frozen=True):
    """Price of a machine.

    jpy: of the whole machine [JPY]
    device: the price of its device that it rests on
    amount: of the whole machine, in `currency`
    currency: the asker's, ISO 4217
    price_month: when the oldest of its prices was seen, YYYY-MM; null for a price that was given
    items: what is bought
    """

    jpy: int
    device: SeenPriceJson | None
    amount: float
    currency: str
    price_month: str | None
    items: tuple[PriceItemJson, ...]


def price(offer: HardwareOption) -> PriceJson | None:
    """Return the price of a machine, None if it is owned or not known."""
    if offer.price is None:
        return None
    seen = offer.seen
    device = None if seen is None else SeenPriceJson(seen.amount, seen.currency, seen.date, seen.source, seen.used)
    facts = price_facts(offer.items)
    items = tuple(PriceItemJson(**{k: getattr(i, k) for k in PriceItemJson.__struct_fields__}) for i in offer.items)
    currency = offer.items[0].paid_in if offer.items else "JPY"
    amount = sum(i.paid for i in offer.items) if offer.items else offer.price
    month = None if facts is None else facts.month
    return PriceJson(round(offer.price), device, round(amount, 2), currency, month, items)
