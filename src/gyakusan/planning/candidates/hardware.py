"""Hardware that a plan may run on: the machine that is owned, or those of the catalogue that can be bought.

Prices are in yen, converted with dated rates. Each machine that is left out carries its reason.
"""

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
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest

OLDEST_PRICE_YEAR = "2024"
"""Prices of new goods from before this year say nothing about today."""
_ENTERPRISE = re.compile(
    r"\b(tesla|[ahblvp]\d{2,3}[a-z]?|gh?b?[23]00|gb[23]00|instinct|mi\d{2,3}\w?|l4|l40s?|t4|a2|gaudi|flex|max 1\d{3}|h20)\b",
    re.IGNORECASE,
)
_SYSTEMS_OF_BACKEND = {"metal": ("macos",), "rocm": ("linux", "windows")}


@dataclass(frozen=True, slots=True)
class HardwareOption:
    """A machine that a plan may run on.

    machine: its devices, as the engines see them
    count: of its GPUs, 1 if it has none
    price: of everything that is bought, None where it is owned or no price is known [JPY]
    seen: price of one device or computer, as a shop or its maker had it
    power: of all devices, None = not known [W]
    owned: nothing has to be bought
    """

    machine: Machine
    count: int
    price: float | None
    seen: Price | None
    power: float | None
    owned: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A machine of the catalogue that is left out.

    name: of the machine
    reason: the limit that it breaks
    price: None = not known [JPY]
    """

    name: str
    reason: Message
    price: float | None = None


@dataclass(frozen=True, slots=True)
class CatalogueDevice:
    """A GPU, or a computer with a GPU inside.

    device: as it is built into a machine
    prices: everything that was seen
    complete: a whole computer, so that nothing else has to be bought
    """

    device: Device
    prices: tuple[Price, ...]
    complete: bool


def owned_machine(request: PlanRequest) -> HardwareOption:
    """Return the machine that was named, else this computer."""
    named = request.device is not None or request.memory is not None
    machine = machines.parse(request.device, request.memory) if named else detect()[0]
    if request.ram is not None:
        machine = machines.with_ram(machine, request.ram)
    if request.bandwidth is not None:
        machine = machines.with_ram_bandwidth(machine, request.bandwidth)
    if request.reserve is not None:
        machine = machines.with_reserved_memory(machine, request.reserve)
    return HardwareOption(machine, max(1, len(machine.gpus)), None, None, _power(machine), True)


def hardware_options(request: PlanRequest) -> tuple[tuple[HardwareOption, ...], tuple[Rejected, ...]]:
    """Return the machines that a request is about, and those of the catalogue that are left out."""
    return ((owned_machine(request),), ()) if request.owned else buyable_machines(request)


def buyable_machines(request: PlanRequest) -> tuple[tuple[HardwareOption, ...], tuple[Rejected, ...]]:
    """Return the machines of the catalogue within the limits, cheapest first, and the others."""
    exchange = exchange_rates(dict(request.rates))
    budget = request.budget
    limit = None if budget is None else exchange.convert(budget.amount, budget.currency, "JPY")
    options: list[HardwareOption] = []
    rejected: list[Rejected] = []
    for option in _every_machine(request, exchange, budget.currency if budget else None):
        reason = _filter_reason(request, option)
        if reason is None and budget is not None:
            reason = _price_reason(option, limit)
        if reason is None:
            options.append(option)
        else:
            rejected.append(Rejected(option.machine.name, reason, option.price))
    options.sort(key=_by_price)
    return tuple(options), tuple(rejected)


def priced_machines(request: PlanRequest, currency: str = "JPY") -> tuple[HardwareOption, ...]:
    """Return the machines with a price within every limit but the budget, cheapest first.

    currency: prices in this one are preferred
    """
    every = _every_machine(request, exchange_rates(dict(request.rates)), currency)
    options = (o for o in every if o.price is not None and _filter_reason(request, o) is None)
    return tuple(sorted(options, key=_by_price))


def all_machines(request: PlanRequest, currency: str | None = None) -> tuple[HardwareOption, ...]:
    """Return every machine of the catalogue, whatever the limits; prices in `currency` are preferred."""
    return tuple(_every_machine(request, exchange_rates(dict(request.rates)), currency))


def is_enterprise(name: str) -> bool:
    """Return True for cards made for data centres: no fan, no shop."""
    return _ENTERPRISE.search(name) is not None and "RTX" not in name


def _by_price(option: HardwareOption) -> tuple[float, str]:
    return (option.price if option.price is not None else float("inf"), option.machine.name)


def _every_machine(request: PlanRequest, exchange: ExchangeRates, currency: str | None) -> Iterator[HardwareOption]:
    base = request.base_computer_price
    chassis = exchange.convert(base.amount, base.currency, "JPY") or 0.0
    for entry in catalogue_devices():
        device = entry.device
        seen = _cheapest(entry.prices, exchange, currency, used=request.used)
        one = exchange.convert(seen.amount, seen.currency, "JPY") if seen else None
        for count in range(1, 1 + (1 if device.kind == "unified" else min(request.count, MAX_DEVICES))):
            around = 0.0 if entry.complete else chassis * chassis_factor(count)
            price = None if one is None else one * count + around
            power = None if device.power is None else device.power * count
            yield HardwareOption(identical_devices(device, count), count, price, seen, power)


def chassis_factor(count: int) -> float:
    """Return the price of a computer for `count` cards over that of one for two: board, case, power supply. Assumed."""
    return 1.0 if count <= 2 else 2.5 if count <= 4 else 5.0


def identical_devices(device: Device, count: int) -> Machine:
    """Return a machine with `count` of one device."""
    name = device.name if count == 1 else f"{count}x {device.name}"
    host = None if device.kind == "unified" else Device("CPU", "host", None, "cpu")
    return Machine(name, (device,) * count, host)


@cache
def catalogue_devices() -> tuple[CatalogueDevice, ...]:
    """Return every GPU of the catalogue, and every computer with one inside."""
    entries: list[CatalogueDevice] = []
    records = {r.name: r for r in device_records()}
    for record in records.values():
        if record.kind == "host" or "Laptop" in record.name:
            continue
        for size in record.sizes_gib:
            first = size == min(record.sizes_gib) or record.kind == "gpu"
            prices = record.prices if first and not _sold_inside(record) else ()
            entries.append(CatalogueDevice(_device(record, size), prices, record.kind == "unified"))
    for machine in machine_records():
        for size in machine.sizes_gib:
            inside = records.get(machine.device)
            if inside is None or inside.kind == "host":
                continue
            device = replace(inside.device(size), name=f"{machine.name} {size}GB")
            entries.append(CatalogueDevice(device, machine.prices, True))
    return tuple(entries)


def _sold_inside(record: DeviceRecord) -> bool:
    """Return True for chips sold only inside a computer: a price of theirs is that of a computer of unknown equipment."""
    return record.kind == "unified" and record.vendor in ("AMD", "Apple")


def _device(record: DeviceRecord, size: int) -> Device:
    title = record.name if len(record.sizes_gib) == 1 else f"{record.name} {size}GB"
    return record.device(size, title=title)


def _cheapest(prices: tuple[Price, ...], exchange: ExchangeRates, currency: str | None, *, used: bool) -> Price | None:
    """Return the cheapest price of the newest year, in `currency` if there is one: shipping across borders costs, too."""
    usable = [
        p
        for p in prices
        if (used or not p.used) and p.date >= OLDEST_PRICE_YEAR and exchange.convert(1, p.currency, "JPY")
    ]
    if not usable:
        return None
    year = max(p.date[:4] for p in usable)
    recent = [p for p in usable if p.date[:4] == year]
    preferred = [p for p in recent if p.currency == currency] or recent
    return min(preferred, key=lambda p: exchange.convert(p.amount, p.currency, "JPY") or 0.0)


@cache
def _country_of_sale() -> dict[str, str]:
    """Return the country of each device that is sold in one country only."""
    return {r.name: r.sold_in for r in device_records() if r.sold_in}


def _power(machine: Machine) -> float | None:
    known = [g.power for g in machine.gpus]
    return None if None in known else float(sum(p or 0.0 for p in known))


def _filter_reason(request: PlanRequest, option: HardwareOption) -> Message | None:
    """Return why a machine is left out whatever its price, None if it is not."""
    device = option.machine.gpus[0]
    if request.brand and request.brand.casefold() not in f"{device.vendor} {device.name}".casefold():
        return say(
            "{name} is made by {vendor}, not by {brand}.", name=device.name, vendor=device.vendor, brand=request.brand
        )
    systems = _SYSTEMS_OF_BACKEND.get(device.backend, ("linux", "windows"))
    if request.os != "any" and request.os not in systems:
        return say("{name} does not run {os}.", name=device.name, os=request.os)
    if not request.enterprise and is_enterprise(device.name):
        return say("{name} is a data-centre card.", name=device.name)
    if request.power is not None and (option.power is None or option.power > request.power):
        power = say("an unknown power") if option.power is None else Message(f"{option.power:,.0f} W")
        return say(
            "{name} draws {power}; the limit is {most} W.",
            name=option.machine.name,
            power=power,
            most=f"{request.power:,.0f}",
        )
    if country := _country_of_sale().get(device.name):
        return say("{name} is sold in one country only ({region}).", name=device.name, region=country)
    return None


def _price_reason(option: HardwareOption, limit: float | None) -> Message | None:
    """Return why a machine is beyond a budget, None if it is not. limit: None = no rate for its currency [JPY]."""
    if option.price is None:
        return say("The price of {name} is not known.", name=option.machine.name)
    if limit is not None and option.price > limit:
        over = f"{option.price - limit:,.0f} JPY"
        return say("{name} costs {over} more than the budget.", name=option.machine.name, over=over)
    return None
