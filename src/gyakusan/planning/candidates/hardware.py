"""Machines that a question allows: the one that is owned, or those of the catalogue that can be bought."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from gyakusan import machines
from gyakusan.catalog.devices import DeviceRecord, device_records, machine_records
from gyakusan.core.machine import Device, Machine, Price
from gyakusan.machines.detect import detect
from gyakusan.message import Message, say
from gyakusan.planning.request.money import ExchangeRates, exchange_rates
from gyakusan.planning.request.request import PlanRequest

OLDEST_PRICE_YEAR = "2024"
"""Prices of new goods from before this year say nothing about today."""
COUNTS = (1, 2, 3, 4, 5, 6, 7, 8)
_ENTERPRISE = re.compile(
    r"\b(tesla|[ahblvp]\d{2,3}[a-z]?|gh?b?[23]00|gb[23]00|instinct|mi\d{2,3}\w?|l4|l40s?|t4|a2|gaudi|flex|max 1\d{3}|h20)\b",
    re.IGNORECASE,
)
_SYSTEMS = {"metal": ("macos",), "rocm": ("linux", "windows")}


@dataclass(frozen=True, slots=True)
class HardwareOption:
    """A machine. count: of its GPUs; price: of everything that is bought, in yen, None where it is owned [JPY];

    seen: the price as it was seen; power: of the devices, None = not known [W]; owned.
    """

    machine: Machine
    count: int
    price: float | None
    seen: Price | None
    power: float | None
    owned: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A machine of the catalogue that is not offered, and why. price: in yen where it is known [JPY]."""

    name: str
    reason: Message
    price: float | None = None


def owned_machine(question: PlanRequest) -> HardwareOption:
    """The machine that was named, else this computer."""
    if question.device is None and question.memory is None:
        machine = detect()[0]
    else:
        machine = machines.parse(question.device, question.memory)
    if question.bandwidth is not None:
        machine = machines.with_ram_bandwidth(machine, question.bandwidth)
    if question.reserve is not None:
        machine = machines.with_reserved_memory(machine, question.reserve)
    return HardwareOption(machine, max(1, len(machine.gpus)), None, None, _power(machine), True)


def buyable_machines(question: PlanRequest) -> tuple[tuple[HardwareOption, ...], tuple[Rejected, ...]]:
    """Machines of the catalogue within the limits, cheapest first, and the others."""
    exchange = exchange_rates(dict(question.rates))
    budget = None
    if question.budget is not None:
        budget = exchange.convert(question.budget.amount, question.budget.currency, "JPY")
    found: list[HardwareOption] = []
    left: list[Rejected] = []
    for offer in _all(question, exchange):
        reason = _refused(question, offer, budget)
        if reason is None:
            found.append(offer)
        else:
            left.append(Rejected(offer.machine.name, reason, offer.price))
    found.sort(key=lambda o: (o.price if o.price is not None else float("inf"), o.machine.name))
    return tuple(found), tuple(left)


def all_machines(question: PlanRequest) -> tuple[HardwareOption, ...]:
    """Every machine of the catalogue, whatever the limits."""
    return tuple(_all(question, exchange_rates(dict(question.rates))))


def is_enterprise(name: str) -> bool:
    """True for cards made for data centres: no fan, no shop."""
    return _ENTERPRISE.search(name) is not None and "RTX" not in name


def _all(question: PlanRequest, exchange: ExchangeRates) -> Iterator[HardwareOption]:
    around = exchange.convert(question.base_computer_price.amount, question.base_computer_price.currency, "JPY") or 0.0
    for device, prices, alone in catalogue_devices():
        seen = _price(prices, question, exchange)
        one = exchange.convert(seen.amount, seen.currency, "JPY") if seen else None
        for count in COUNTS[: 1 if device.kind == "unified" else question.count]:
            whole = None if one is None else one * count + (0.0 if alone else around * slots(count))
            power = None if device.power is None else device.power * count
            yield HardwareOption(identical_devices(device, count), count, whole, seen, power)


def slots(count: int) -> float:
    """What a computer for so many cards costs over one for two: boards, cases and power supplies. Assumed."""
    return 1.0 if count <= 2 else 2.5 if count <= 4 else 5.0


def identical_devices(device: Device, count: int) -> Machine:
    """A machine with so many of one device."""
    name = device.name if count == 1 else f"{count}x {device.name}"
    host = None if device.kind == "unified" else Device("CPU", "host", None, "cpu")
    return Machine(name, (device,) * count, host)


@cache
def catalogue_devices() -> tuple[tuple[Device, tuple[Price, ...], bool], ...]:
    """Every GPU and every computer with its own: the device, its prices, True if nothing need be bought besides."""
    found: list[tuple[Device, tuple[Price, ...], bool]] = []
    records = {r.name: r for r in device_records()}
    for record in records.values():
        if record.kind == "host" or "Laptop" in record.name:
            continue
        for size in record.sizes_gib:
            first = size == min(record.sizes_gib) or record.kind == "gpu"
            prices = record.prices if first and not _inside(record) else ()
            found.append((_device(record, size), prices, record.kind == "unified"))
    for machine in machine_records():
        for size in machine.sizes_gib:
            inside = records.get(machine.device)
            if inside is None or inside.kind == "host":
                continue
            device = replace(inside.device(size), name=f"{machine.name} {size}GB")
            found.append((device, machine.prices, True))
    return tuple(found)


def _inside(record: DeviceRecord) -> bool:
    """True for chips that are only sold inside a computer: what was seen as their price is that of one with who knows what."""
    return record.kind == "unified" and record.vendor in ("AMD", "Apple")


def _device(record: DeviceRecord, size: int) -> Device:
    title = record.name if len(record.sizes_gib) == 1 else f"{record.name} {size}GB"
    return record.device(size, title=title)


def _price(prices: tuple[Price, ...], question: PlanRequest, exchange: ExchangeRates) -> Price | None:
    """The cheapest of the newest year: in the budget's currency if there is one, for goods cross borders at a cost."""
    usable = [
        p
        for p in prices
        if (question.used or not p.used) and p.date >= OLDEST_PRICE_YEAR and exchange.convert(1, p.currency, "JPY")
    ]
    if not usable:
        return None
    year = max(p.date[:4] for p in usable)
    recent = [p for p in usable if p.date[:4] == year]
    own = question.budget.currency if question.budget else ""
    near = [p for p in recent if p.currency == own] or recent
    return min(near, key=lambda p: exchange.convert(p.amount, p.currency, "JPY") or 0.0)


def _region(name: str) -> str:
    """The only country where a device is sold, "" = everywhere."""
    return _regions().get(name, "")


@cache
def _regions() -> dict[str, str]:
    """Devices that are sold in one country only. Read once: every record is looked at."""
    return {r.name: r.sold_in for r in device_records() if r.sold_in}


def _power(machine: Machine) -> float | None:
    known = [g.power for g in machine.gpus]
    return None if None in known else float(sum(p or 0.0 for p in known))


def _refused(question: PlanRequest, offer: HardwareOption, budget: float | None) -> Message | None:
    """Why a machine is not offered, None if it is."""
    device = offer.machine.gpus[0]
    if question.brand and question.brand.casefold() not in f"{device.vendor} {device.name}".casefold():
        return say(
            "{name} is made by {vendor}, not by {brand}.", name=device.name, vendor=device.vendor, brand=question.brand
        )
    systems = _SYSTEMS.get(device.backend, ("linux", "windows"))
    if question.os != "any" and question.os not in systems:
        return say("{name} does not run under {os}.", name=device.name, os=question.os)
    if not question.enterprise and is_enterprise(device.name):
        return say("{name} is a card for data centres.", name=device.name)
    if question.power is not None and (offer.power is None or offer.power > question.power):
        return say(
            "{name} draws {power}, {most} W are allowed.",
            name=offer.machine.name,
            power=_watts(offer),
            most=f"{question.power:,.0f}",
        )
    if region := _region(device.name):
        return say("{name} is sold in one country only ({region}).", name=device.name, region=region)
    if question.budget is None:
        return None
    if offer.price is None:
        return say("No price of {name} is known.", name=offer.machine.name)
    if budget is not None and offer.price > budget:
        over = f"{offer.price - budget:,.0f} JPY"
        return say("{name} costs {over} more than the budget.", name=offer.machine.name, over=over)
    return None


def _watts(offer: HardwareOption) -> Message:
    return say("an unknown power") if offer.power is None else Message(f"{offer.power:,.0f} W")
