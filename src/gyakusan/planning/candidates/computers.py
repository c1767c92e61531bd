"""What is bought around graphics cards: a whole computer that a shop builds, or a computer without a card, or only a supply.

A computer without a card is chosen by the RAM that its cards ask for, by their power and their number. Its prices are rules of
thumb: every item says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from gyakusan.catalog.prices import price_records, prices_of
from gyakusan.core.machine import Device
from gyakusan.planning.candidates.power import supply_watts
from gyakusan.planning.candidates.prices import Buyer, PriceItem, cheapest, price_item, this_month
from gyakusan.planning.request.money import Money

OWNED_SUPPLY = 650.0
"""Power supply of a computer that is owned and that nobody described. Assumed. [W]"""
LARGEST_RAM = 64
"""RAM of the largest computer without a card whose price is known. [GiB]"""
Items = tuple[PriceItem, ...]


def complete_items(name: str, size_gib: int, buyer: Buyer) -> Items:
    """Return the price of a computer that is sold complete, () if none counts."""
    item = cheapest((p for p in prices_of(name, size_gib) if p.what in ("computer", "laptop")), buyer)
    return () if item is None else (item,)


def card_items(card: Device, size_gib: int, count: int, buyer: Buyer, computer: Money | None, ram: int = 0) -> Items:
    """Return what is bought for some cards, the cheapest way; () if something of it has no price.

    size_gib: memory of one card as sold [GiB]
    computer: price of the computer around them, None = by rule, 0 = it is owned
    ram: RAM that was asked for, 0 = what the cards ask for [GiB]
    """
    if not prices_of(card.name, size_gib):
        return ()
    ways = [*_assembled(card, size_gib, count, buyer, computer, ram)]
    if count == 1 and computer is None:
        ways += [*_built_by_a_shop(card.name, size_gib, buyer, ram)]
    return min(ways, key=lambda items: sum(i.paid for i in items), default=())


def _built_by_a_shop(name: str, size_gib: int, buyer: Buyer, ram: int) -> Iterator[Items]:
    """Yield the cheapest whole computer with such a card, if one is sold; where the card alone costs more, with its price."""
    every = prices_of(name, size_gib)
    item = cheapest((p for p in every if p.what == "computer" and (not ram or p.ram_gib >= ram)), buyer)
    if item is not None:
        card = cheapest((p for p in every if p.what == "card"), buyer)
        dearer = card is not None and not card.used and card.paid > item.paid
        yield (structs.replace(item, card_price=card.paid) if card is not None and dearer else item,)


def _assembled(
    card: Device, size_gib: int, count: int, buyer: Buyer, computer: Money | None, ram: int
) -> Iterator[Items]:
    """Yield the cards and what is needed around them."""
    cards = cheapest((p for p in prices_of(card.name, size_gib) if p.what == "card"), buyer, count)
    if cards is None:
        return
    watts = None if card.power is None else supply_watts(card.power, count)
    if computer is None:
        around = _computer_around(count, watts, max(ram, _ram_for(size_gib * count)), buyer)
        if around is not None:
            yield cards, around
    elif computer.amount > 0:
        paid = buyer.exchange.convert(computer.amount, computer.currency, buyer.currency)
        if paid is not None:
            yield cards, _stated(computer, paid, buyer)
    elif (supply := supply_items(watts, buyer)) is not None:
        yield (cards, *supply)


def _ram_for(memory_gib: int) -> int:
    """Return the RAM that a computer needs beside this memory of its cards: files pass through it as they are loaded [GiB]."""
    return next((size for size in (16, 32, LARGEST_RAM) if size >= min(memory_gib, LARGEST_RAM)), LARGEST_RAM)


def _computer_around(count: int, watts: float | None, ram: int, buyer: Buyer) -> PriceItem | None:
    """Return the cheapest computer without a card that takes these cards, None if none is large enough."""
    kits = [
        k
        for k in price_records()
        if k.what == "kit" and k.cards >= count and k.watts >= (watts or 0.0) and k.ram_gib >= ram
    ]
    items = [item for kit in kits if (item := price_item(kit, buyer)) is not None]
    return min(items, key=lambda item: item.paid, default=None)


def supply_items(watts: float | None, buyer: Buyer) -> Items | None:
    """Return the power supply that a computer of one's own lacks: () if none, None if none is sold that delivers `watts`.

    watts: that it must deliver, None = not known [W]
    """
    if watts is None or watts <= OWNED_SUPPLY:
        return ()
    fitting = [p for p in price_records() if p.what == "part" and p.watts >= watts]
    supply = min(fitting, key=lambda p: p.watts, default=None)
    item = None if supply is None else price_item(supply, buyer)
    return None if item is None else (item,)


def larger_computer(count: int, watts: float | None, buyer: Buyer) -> PriceItem | None:
    """Return the cheapest computer without a card for `count` of them, None if none is known.

    watts: that its power supply must deliver, None = not known [W]
    """
    return _computer_around(count, watts, 0, buyer)


def _stated(computer: Money, paid: float, buyer: Buyer) -> PriceItem:
    """Return the computer whose price the asker gave."""
    same = computer.currency == buyer.currency
    return PriceItem(
        what="kit",
        name="computer without a card",
        quantity=1,
        size_gib=0,
        amount=computer.amount,
        currency=computer.currency,
        tax="included",
        used=False,
        month=this_month(),
        source="--computer",
        confidence="high",
        paid=float(round(paid)),
        paid_in=buyer.currency,
        kind="given",
        rate=None if same else buyer.exchange.convert(1.0, computer.currency, buyer.currency),
    )
