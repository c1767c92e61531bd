"""Is a machine one that a person can buy and plug in: each price with size, kind and age; slots, supply and outlet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.plan_judges.verdict import Verdict
from gyakusan.planning.candidates import prices
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.select.plan import Plan
from gyakusan.units import GIB

OUTLET_W: Mapping[str, float] = {"JPY": 1500.0, "USD": 1440.0, "EUR": 3600.0}
"""What one household outlet gives: 100 V x 15 A; 120 V x 15 A, of which 80 % for hours; 230 V x 16 A, rounded down."""
CARDS = 2
"""Cards in a computer of a household, unless more are asked for."""
MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
ROUNDING = 1.0
"""What items and their sum may differ by. [JPY]"""
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?(?:GB|GiB)")


def judge(question: str, plan: Plan, values: Mapping[str, Any], currency: str) -> Iterator[Verdict]:
    """Yield verdicts on a machine that is bought: its price, and whether it can be built."""
    offer = plan.offer
    if offer.owned:
        return
    subject = f"{question}: {offer.machine.name}"
    yield Verdict("price", subject, price(offer))
    yield Verdict("machine", subject, machine(offer, currency, asked=int(values.get("count", CARDS))))


def price(offer: HardwareOption) -> str:
    """Return what is missing of a price, "" if nothing: items with kind, month and source that add up; the card's size."""
    items = getattr(offer, "items", ())
    if not items:
        return "no items of the price"
    for item in items:
        if not item.amount > 0 or not item.currency:
            return f"{item.what}: no amount"
        if not isinstance(item.used, bool):
            return f"{item.what}: neither new nor used"
        if not MONTH.fullmatch(item.month):
            return f"{item.what}: no month, {item.month!r}"
        if prices.months_since(item.month) > prices.OLDEST:
            return f"{item.what}: of {item.month}"
        if not item.source:
            return f"{item.what}: no source"
    gpus = offer.machine.gpus
    wanted = gpus[0].memory if gpus else None
    if wanted and not _has_size(offer, wanted):
        return f"no item says {wanted / GIB:.0f} GB: {', '.join(i.what for i in items)}"
    return _sum(offer)


def _sum(offer: HardwareOption) -> str:
    """Return "" if what is paid for the items adds up to the price, in yen."""
    if not offer.price:
        return "no sum"
    paid = [exchange_rates().convert(item.paid, item.paid_in, "JPY") for item in offer.items]
    if None in paid:
        return "an item in a currency without a rate"
    total = sum(p for p in paid if p is not None)
    return "" if abs(total - offer.price) <= ROUNDING else f"items of {total:,.0f} yen, a price of {offer.price:,.0f}"


def _has_size(offer: HardwareOption, wanted: float) -> bool:
    """Return True if an item, or the price record behind it, says how much memory is paid for."""
    words = [offer.machine.name, *(item.what for item in offer.items)]
    named = [float(n) for w in words for n in SIZE.findall(w)]
    sizes = [float(s) for item in offer.items for s in (getattr(item, "size_gib", 0),) if s]
    return any(abs(n * GIB / wanted - 1) < 0.1 for n in (*named, *sizes)) or _one_size(offer)


def _one_size(offer: HardwareOption) -> bool:
    """Return True if the catalogue sells the device in one size: its name then says the size."""
    from gyakusan.catalog.devices import entry_of
    from gyakusan.errors import GyakusanError

    try:
        return len(entry_of(offer.machine.gpus[0].name).sizes) == 1
    except GyakusanError:
        return False


def _plugged(offer: HardwareOption) -> bool:
    """Return True for a complete computer without cards: its maker sells it with a household's plug."""
    gpus = offer.machine.gpus
    return offer.count == 1 and bool(gpus) and gpus[0].kind == "unified"


def machine(offer: HardwareOption, currency: str, asked: int) -> str:
    """Return why a machine cannot stand in a household, "" if it can."""
    if offer.count > max(CARDS, asked):
        return f"{offer.count} cards"
    wall = getattr(offer, "wall_power", None)
    if wall is None and _plugged(offer):
        return ""
    if wall is None:
        return "nobody says what it takes from the wall"
    if offer.power is not None and wall < offer.power:
        return f"{wall:.0f} W from the wall, its cards alone take {offer.power:.0f} W"
    most = OUTLET_W.get(currency, min(OUTLET_W.values()))
    return f"{wall:.0f} W from an outlet of {most:.0f} W" if wall > most else ""
