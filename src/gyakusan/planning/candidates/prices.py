"""Prices that count today: seen lately, of the right size and kind, in the asker's currency, with tax as his shops show it.

A price older than `OLDEST` months, a launch price, one without a month, a guide value or one of something that is not in stock
buys nothing. A price of another country is converted with the newest rate, and the tax of the one is exchanged for the other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from msgspec import Struct, structs

from gyakusan.catalog.price_places import Kind, kind, place
from gyakusan.catalog.prices import Confidence, PriceRecord, Tax, What, prices_of
from gyakusan.core.machine import Price
from gyakusan.message import Message, say
from gyakusan.planning.request.money import SALES_TAX, TAX_OF_COUNTRY, ExchangeRates, Money

OLDEST = 15
"""Prices seen longer ago buy nothing. [months]"""
ABROAD = ("USD", "EUR", "CHF", "JPY")
"""Where prices come from if the asker's own country has none, nearest first."""
ELSEWHERE = "{name} has a price in {currency} only ({price}): add --currency {currency}."
"""Reason of a machine that only shops of another currency build."""


class PriceItem(Struct, frozen=True):
    """Something that is bought, as a shop showed it, and what the asker pays for it.

    what: kind of thing: a card, a computer, a laptop, a kit (computer without its card) or a part
    name: of it
    quantity: how many are bought
    size_gib: memory of one, of a computer without a card its RAM, 0 = it has none [GiB]
    amount: price of one as it was seen [currency]
    currency: of `amount`, ISO 4217
    tax: whether tax is in `amount`
    used: second-hand
    month: when it was seen, e.g. "2026-09"
    source: where it was seen
    confidence: low for rules of thumb and for what was converted
    paid: price of all in the asker's currency, with his tax; of one it is whole, so that what is printed adds up [paid_in]
    paid_in: the asker's currency, ISO 4217
    kind: of the price: a list's, a shop's, of the street, an estimate, or the asker's own
    place: site or publication where it was seen, "" = none that is known
    country: where it was sold, ISO 3166, "" = not known
    rate: of the conversion, asker's currency for one unit of `currency`; None = not converted
    tax_removed: share of the net price that is the tax of `country` and that a conversion takes off, 0 = nothing
    tax_added: share of the net price that the asker's country adds, 0 = nothing
    ram_gib: RAM of a computer around graphics cards, 0 = there is none, or nobody said [GiB]
    card_price: of a computer that costs less than its card alone: the price of that card, 0 = it costs more [paid_in]
    """

    what: What
    name: str
    quantity: int
    size_gib: int
    amount: float
    currency: str
    tax: Tax
    used: bool
    month: str
    source: str
    confidence: Confidence
    paid: float
    paid_in: str
    kind: Kind = "street"
    place: str = ""
    country: str = ""
    rate: float | None = None
    tax_removed: float = 0.0
    tax_added: float = 0.0
    ram_gib: int = 0
    card_price: float = 0.0


class PriceFacts(Struct, frozen=True):
    """What an answer says about a price beside its amount.

    month: of the oldest price among what is bought
    age: months since then
    used: something of it is second-hand
    converted: what was converted from another currency
    parts: what is bought, None where it is one thing
    """

    month: str
    age: int
    used: bool
    converted: tuple[PriceItem, ...]
    parts: tuple[PriceItem, ...] | None


class Buyer(Struct, frozen=True):
    """Who pays.

    currency: in which, ISO 4217
    exchange: rates
    used: second-hand goods count
    """

    currency: str
    exchange: ExchangeRates
    used: bool = False

    def yen(self, amount: float) -> float:
        """Return an amount of the buyer's currency in yen."""
        return self.exchange.convert(amount, self.currency, "JPY") or 0.0


MONTH_TEXTS = (
    *("January {year}", "February {year}", "March {year}", "April {year}", "May {year}", "June {year}"),
    *("July {year}", "August {year}", "September {year}", "October {year}", "November {year}", "December {year}"),
)


def month_text(month: str) -> Message:
    """Return "2026-08" in words: "August 2026", 2026年8月."""
    return Message(MONTH_TEXTS[int(month[5:7]) - 1], {"year": month[:4]})


def today() -> date:
    """Return the day from which the age of prices counts."""
    return date.today()


def this_month() -> str:
    """Return year and month of today, e.g. "2026-11"."""
    return today().isoformat()[:7]


def months_since(month: str) -> int:
    """Return the months from "2026-09" until today."""
    now = today()
    return (now.year - int(month[:4])) * 12 + now.month - int(month[5:7])


def counts(price: PriceRecord) -> bool:
    """Return True for a price that one can pay today: of a month not too long ago, of goods in stock, and no guess."""
    return (
        len(price.month) == 7
        and months_since(price.month) <= OLDEST
        and price.available
        and not price.launch
        and price.confidence != "low"
        and (price.used or price.in_production != "no")
    )


def price_item(price: PriceRecord, buyer: Buyer, quantity: int = 1) -> PriceItem | None:
    """Return what a buyer pays for some of this, None without an exchange rate."""
    rate = buyer.exchange.convert(1.0, price.currency, buyer.currency)
    if rate is None:
        return None
    converted = price.currency != buyer.currency
    removed, added = _tax(price, buyer, converted=converted)
    return PriceItem(
        what=price.what,
        name=price.product or price.of or price.name,
        quantity=quantity,
        size_gib=price.size_gib or price.ram_gib,
        ram_gib=price.ram_gib,
        amount=price.amount,
        currency=price.currency,
        tax="included" if price.has_tax else "excluded",
        used=price.used,
        month=price.month,
        source=price.source,
        confidence="low" if converted else price.confidence,
        paid=float(round(price.amount / (1 + removed) * (1 + added) * rate) * quantity),
        paid_in=buyer.currency,
        kind=kind(price),
        place=place(price),
        country=price.country,
        rate=rate if converted else None,
        tax_removed=removed,
        tax_added=added,
    )


def _tax(price: PriceRecord, buyer: Buyer, *, converted: bool) -> tuple[float, float]:
    """Return the tax that is taken off a price and the one that is added, as shares of the net price.

    Second-hand goods carry none.
    """
    if price.used or (price.has_tax and not converted):
        return 0.0, 0.0
    removed = TAX_OF_COUNTRY.get(price.country, 0.0) if price.has_tax else 0.0
    return removed, SALES_TAX[buyer.currency]


def price_facts(items: tuple[PriceItem, ...]) -> PriceFacts | None:
    """Return what a note says about the price of these, None if nothing is bought."""
    if not items:
        return None
    month = min(item.month for item in items)
    converted = tuple(item for item in items if item.rate is not None)
    used = any(item.used for item in items)
    return PriceFacts(month, months_since(month), used, converted, items if len(items) > 1 else None)


def cheapest(prices: Iterable[PriceRecord], buyer: Buyer, quantity: int = 1) -> PriceItem | None:
    """Return the cheapest offer of the newest month that counts, of the buyer's own country where there is one."""
    fitting = [p for p in prices if counts(p) and (buyer.used or not p.used)]
    offers = (_newest(fitting, buyer, used, quantity) for used in (False, True))
    return min((o for o in offers if o is not None), key=lambda o: o.paid, default=None)


def _newest(prices: Iterable[PriceRecord], buyer: Buyer, used: bool, quantity: int) -> PriceItem | None:
    """Return the cheapest offer of the newest month. What a shop builds around a card is bought in its own country."""
    kind = [p for p in prices if p.used == used and (not p.product or p.currency == buyer.currency)]
    if not kind:
        return None
    last = {(p.of, p.product, p.configuration, p.country): p for p in sorted(kind, key=lambda p: p.date)}
    for currency in dict.fromkeys((buyer.currency, *ABROAD)):
        local = [p for p in last.values() if p.currency == currency]
        month = max((p.month for p in local), default="")
        items = [item for p in local if p.month == month and (item := price_item(p, buyer, quantity)) is not None]
        if items:
            return min(items, key=lambda item: item.paid)
    return None


def second_hand(name: str, size_gib: int, buyer: Buyer) -> PriceItem | None:
    """Return the second-hand offer that counts of something without a new one, None if none does or `buyer` takes them."""
    return None if buyer.used else _newest([p for p in prices_of(name, size_gib) if counts(p)], buyer, True, 1)


def sold_elsewhere(name: str, size_gib: int, buyer: Buyer) -> PriceItem | None:
    """Return what shops build around something where another currency is paid, and only there; None if no price counts.

    A shop's own computer is bought in its country: its price is not converted, whatever its age.
    """
    if cheapest(prices_of(name, size_gib), buyer) is not None:
        return None
    built = [p for p in prices_of(name, size_gib) if p.product]
    offers = (cheapest(built, structs.replace(buyer, currency=c)) for c in ABROAD if c != buyer.currency)
    own = (o for o in offers if o is not None and o.rate is None)
    return min(own, key=lambda o: buyer.exchange.convert(o.paid, o.paid_in, "JPY") or 0.0, default=None)


def why_unpriced(name: str, size_gib: int, buyer: Buyer, earlier: tuple[Price, ...] = ()) -> Message:
    """Return why nothing can be paid for a card or a computer: sold second-hand only, an old price, or none at all.

    earlier: prices of its record, which say no month or are those of its launch
    """
    every = prices_of(name, size_gib)
    used = second_hand(name, size_gib, buyer)
    if used is not None:
        return say(
            "{name} is sold second-hand only, for about {price} ({month}): add --used.",
            name=name,
            price=Money(_rounded(used.paid), buyer.currency).text,
            month=month_text(used.month),
        )
    if (elsewhere := sold_elsewhere(name, size_gib, buyer)) is not None:
        price = Money(elsewhere.paid, elsewhere.paid_in).text
        return say(ELSEWHERE, name=name, price=price, currency=elsewhere.paid_in)
    if any(not p.available for p in every):
        return say("{name} is out of stock.", name=name)
    if not every:
        return _only_earlier(name, earlier)
    newest = max(every, key=lambda p: p.date)
    return say(
        "The newest price of {name} is of {month}: too old or too unsure to plan with.",
        name=name,
        month=_seen_text(newest),
    )


def _only_earlier(name: str, earlier: tuple[Price, ...]) -> Message:
    """Return what is known of a price that is no price of today."""
    seen = max((p for p in earlier if not p.launch), key=lambda p: p.date, default=None)
    launch = max(earlier, key=lambda p: p.date, default=None)
    if seen is not None:
        price = Money(seen.amount, seen.currency).text
        if seen.used:
            return say(
                "{name} was sold second-hand for {price} in {year}; no newer price is known.",
                name=name,
                price=price,
                year=seen.date[:4],
            )
        return say(
            "{name} cost {price} in {year}; no newer price is known.", name=name, price=price, year=seen.date[:4]
        )
    if launch is None:
        return say("The price of {name} is not known.", name=name)
    return say(
        "Of {name} only the launch price is known: {price} ({year}).",
        name=name,
        price=Money(launch.amount, launch.currency).text,
        year=launch.date[:4],
    )


def _seen_text(price: PriceRecord) -> Message:
    """Return when a price was seen, which may be a year alone."""
    return month_text(price.month) if len(price.month) == 7 else Message(price.month)


def _rounded(amount: float) -> float:
    """Return an amount with two significant digits: "about" promises no more."""
    return float(f"{amount:.2g}")
