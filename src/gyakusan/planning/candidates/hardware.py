"""Hardware that a plan may run on: the machine that is owned, or those of the catalogue that can be bought.

A machine is bought complete: a computer as it is sold, or cards with a computer around them, item by item. Sums are in yen,
converted with dated rates. Each machine that is left out carries its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Literal

from msgspec import Struct, structs

from gyakusan import machines
from gyakusan.catalog.devices import DeviceRecord, MachineRecord, device_records, exactly, machine_records
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.prices import prices_of
from gyakusan.catalog.records import own_entries
from gyakusan.core.broadcast import ceil_div
from gyakusan.core.machine import Device, Machine, Price
from gyakusan.engines.base import SYSTEM_NAMES
from gyakusan.errors import UnknownName
from gyakusan.message import Message, say
from gyakusan.planning.candidates.computers import card_items, complete_items
from gyakusan.planning.candidates.power import OUTLETS, card_shape, devices_watts, wall_watts
from gyakusan.planning.candidates.prices import Buyer, PriceItem, second_hand, sold_elsewhere, why_unpriced
from gyakusan.planning.request.money import Money, exchange_rates
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.units import GIB

_SYSTEMS_OF_BACKEND = {"metal": ("macos",), "rocm": ("linux", "windows")}

OWN_PLUG = 1000.0
"""A socket of this much starts every single computer whose power nobody published. Assumed. [W]"""


class HardwareOption(Struct, frozen=True):
    """A machine that a plan may run on.

    machine: its devices, as the engines see them
    count: of its GPUs, 1 if it has none
    price: of everything that is bought, None where it is owned or no price is known [JPY]
    items: what is bought, each with its own price; empty where `price` is None or was given
    power: of all devices, None = not known [W]
    owned: nothing has to be bought
    own_computer: only cards, and if needed a power supply, are bought: for a computer that the asker has
    around: what such cards cost with a computer around them, None for all else [JPY]
    """

    machine: Machine
    count: int
    price: float | None
    items: tuple[PriceItem, ...]
    power: float | None
    owned: bool = False
    own_computer: bool = False
    around: float | None = None

    @property
    def whole_price(self) -> float | None:
        """What the whole computer costs: of cards for a computer of one's own with such a one around them [JPY]."""
        return self.price if self.around is None else self.around

    @property
    def wall_power(self) -> float | None:
        """What the computer takes from its socket at work, None = not known [W]."""
        return wall_watts(self.machine)

    @property
    def slots(self) -> int:
        """Places in a case that its cards take, 0 for a computer without cards."""
        cards = [g for g in self.machine.gpus if g.kind == "gpu"]
        return sum(card_shape(g.name, g.power).slots for g in cards)

    @property
    def seen(self) -> Price | None:
        """The price of its device or computer, as it was seen; None if no price is known."""
        if not self.items:
            return None
        main = self.items[0]
        return Price(main.amount, main.currency, main.month, main.source, main.used)


Rejection = Literal["wish", "power", "price", "used", "unsold"]


class Rejected(Struct, frozen=True):
    """A machine of the catalogue that is left out.

    name: of the machine
    reason: the limit that it breaks
    price: None = not known [JPY]
    because: what kind of limit that is: a wish, its power or size, its price, second-hand only, not sold
    elsewhere: what it costs where only another currency is paid, None = it is not sold so
    """

    name: str
    reason: Message
    price: float | None = None
    because: Rejection = "wish"
    elsewhere: PriceItem | None = None


class CatalogueDevice(Struct, frozen=True):
    """A card, or a computer with one memory for CPU and GPU.

    device: as it is built into a machine
    name: under which its prices stand
    size_gib: its memory as sold [GiB]
    prices: of its own record, which buy nothing today
    computer: the whole computer, so that nothing else has to be bought; None = a card
    """

    device: Device
    name: str
    size_gib: int
    prices: tuple[Price, ...] = ()
    computer: Machine | None = None


def owned_machine(request: PlanRequest) -> HardwareOption:
    """Return the machine that was named, else this computer."""
    named = request.device is not None or request.memory is not None
    machine = machines.parse(request.device, request.memory) if named else machines.this_computer()
    if request.ram is not None:
        machine = machines.with_ram(machine, request.ram)
    if request.bandwidth is not None:
        machine = machines.with_ram_bandwidth(machine, request.bandwidth)
    if request.reserve is not None:
        machine = machines.with_reserved_memory(machine, request.reserve)
    return HardwareOption(machine, max(1, len(machine.gpus)), None, (), devices_watts(machine), True)


def buyable_machines(request: PlanRequest) -> tuple[tuple[HardwareOption, ...], tuple[Rejected, ...]]:
    """Return the machines of the catalogue within the limits, cheapest first, and the others."""
    buyer = _buyer(request)
    options: list[HardwareOption] = []
    rejected: list[Rejected] = []
    for entry, option in _every_machine(request, buyer):
        reason, because = _limit_reason(request, option)
        if reason is None and request.budget is not None:
            reason, because = _price_reason(entry, option, request.budget, buyer), _price_kind(entry, option, buyer)
        if reason is None:
            options.append(option)
        else:
            alone = because == "unsold" and option.count == 1
            elsewhere = sold_elsewhere(entry.name, entry.size_gib, buyer) if alone else None
            rejected.append(Rejected(option.machine.name, reason, option.price, because, elsewhere))
    options.sort(key=by_price)
    return tuple(options), tuple(rejected)


def priced_machines(request: PlanRequest, currency: str | None = None) -> tuple[HardwareOption, ...]:
    """Return the machines with a price within every limit but the budget, cheapest first.

    currency: of the buyer, None = the request's
    """
    every = (option for _, option in _every_machine(request, _buyer(request, currency)))
    options = (o for o in every if o.price is not None and _limit_reason(request, o)[0] is None)
    return tuple(sorted(options, key=by_price))


def all_machines(request: PlanRequest, currency: str | None = None) -> tuple[HardwareOption, ...]:
    """Return every machine of the catalogue, whatever the limits, as a buyer who pays in `currency` finds it."""
    return tuple(option for _, option in _every_machine(request, _buyer(request, currency)))


def identical_devices(device: Device, count: int) -> Machine:
    """Return a machine with `count` of one device."""
    name = device.name if count == 1 else f"{count}x {device.name}"
    host = None if device.kind == "unified" else Device("CPU", "host", None, "cpu")
    return Machine(name, (device,) * count, host)


def catalogue_devices() -> tuple[CatalogueDevice, ...]:
    """Return every card of the catalogue, and every computer that is sold complete, with the user's own as they are now."""
    return _catalogue_devices(own_entries())


@lru_cache(maxsize=2)
def _catalogue_devices(_own: tuple[Entry, ...]) -> tuple[CatalogueDevice, ...]:
    records = {r.name: r for r in device_records()}
    computers = [*_computers(records)]
    built_in = {(m.device, size) for m in machine_records() for size in m.sizes_gib}
    chips = (
        _chip(r, size)
        for r in records.values()
        if r.kind != "host" and "Laptop" not in r.name
        for size in r.sizes_gib
        if r.kind == "gpu" or (r.name, size) not in built_in
    )
    return (*chips, *computers)


def _chip(record: DeviceRecord, size: int) -> CatalogueDevice:
    """Return a card, or a computer that nothing but its chip is known of."""
    device = record.device(size, title=_title(record, size))
    computer = identical_devices(device, 1) if record.kind == "unified" else None
    return CatalogueDevice(device, record.name, size, record.prices, computer)


def _title(record: DeviceRecord, size: int) -> str:
    """Return the shortest name that finds exactly this; where the user's own record hides ours, that with the size."""
    try:
        return exactly(record.name, size).title
    except UnknownName:
        return f"{record.name} {size}GB"


def _computers(records: dict[str, DeviceRecord]) -> Iterator[CatalogueDevice]:
    """Yield whole computers with one device: those of one memory, and those with a card inside that have a price."""
    for machine in machine_records():
        inside = records.get(machine.device)
        for size in machine.sizes_gib if inside is not None else ():
            if inside is not None and _sold_whole(machine, inside, size):
                try:
                    computer = machine.computer(size, f"{machine.name} {size}GB")
                except UnknownName:  # a record of the user's own hides its chip
                    continue
                yield CatalogueDevice(computer.gpus[0], machine.name, size, machine.prices, computer)


def _sold_whole(machine: MachineRecord, inside: DeviceRecord, size: int) -> bool:
    single = inside.kind == "gpu" and machine.count == 1
    return inside.kind == "unified" or (single and bool(prices_of(machine.name, size)))


def _buyer(request: PlanRequest, currency: str | None = None) -> Buyer:
    return Buyer(currency or request.paid_in, exchange_rates(dict(request.rates)), request.used)


def by_price(option: HardwareOption) -> tuple[float, str]:
    """Return what machines are sorted by: the price, then the name; those without a price last."""
    return (option.price if option.price is not None else float("inf"), option.machine.name)


def _every_machine(request: PlanRequest, buyer: Buyer) -> Iterator[tuple[CatalogueDevice, HardwareOption]]:
    for entry in catalogue_devices():
        if entry.computer is not None:
            items = complete_items(entry.name, entry.size_gib, buyer)
            yield entry, _option(entry.computer, 1, items, buyer)
            continue
        for count in range(1, 1 + min(request.count, MAX_DEVICES)):
            machine = identical_devices(entry.device, count)
            yield entry, _option(machine, count, _cards(entry, count, request, buyer), buyer)


def _cards(entry: CatalogueDevice, count: int, request: PlanRequest, buyer: Buyer) -> tuple[PriceItem, ...]:
    """Return what is bought for some cards; nothing for those without a fan, which no desktop cools."""
    if card_shape(entry.device.name, entry.device.power).passive:
        return ()
    named = structs.replace(entry.device, name=entry.name)
    ram = 0 if request.ram is None else ceil_div(machines.ram_bytes(request.ram), GIB)
    return card_items(named, entry.size_gib, count, buyer, request.base_computer_price, ram)


def _option(machine: Machine, count: int, items: tuple[PriceItem, ...], buyer: Buyer) -> HardwareOption:
    price = buyer.yen(sum(i.paid for i in items)) if items else None
    own = bool(items) and items[0].what == "card" and all(i.what != "kit" for i in items)
    return HardwareOption(machine, count, price, items, devices_watts(machine), own_computer=own)


@cache
def _country_of_sale() -> dict[str, str]:
    """Return the country of each device that is sold in one country only."""
    return {r.name: r.sold_in for r in device_records() if r.sold_in}


def _filter_reason(request: PlanRequest, option: HardwareOption) -> Message | None:
    """Return the wish that leaves a machine out, None if none does."""
    device, name = option.machine.gpus[0], option.machine.name
    if request.brand and request.brand.casefold() not in f"{device.vendor} {device.name} {name}".casefold():
        return say(
            "{name} is not of {brand}: its chip is of {vendor}.", name=name, vendor=device.vendor, brand=request.brand
        )
    systems = _SYSTEMS_OF_BACKEND.get(device.backend, ("linux", "windows"))
    if request.os != "any" and request.os not in systems:
        return say("{name} does not run {os}.", name=name, os=SYSTEM_NAMES[request.os])
    if not request.enterprise and card_shape(device.name, device.power).passive:
        return say("{name} is a data-centre card: it has no fan and needs a server. Add --enterprise.", name=name)
    if country := _country_of_sale().get(device.name):
        return say("{name} is sold in one country only ({region}).", name=device.name, region=country)
    return None


def _limit_reason(request: PlanRequest, option: HardwareOption) -> tuple[Message | None, Rejection]:
    """Return why a machine is left out whatever its price, None if it is not, and what kind of limit that is."""
    wish = _filter_reason(request, option)
    return (_power_reason(request, option) or _case_reason(option), "power") if wish is None else (wish, "wish")


def _power_reason(request: PlanRequest, option: HardwareOption) -> Message | None:
    """Return why a machine takes too much power: more than was asked for, else more than a socket of the house gives."""
    if request.power is not None and (option.power is None or option.power > request.power):
        return _draws(option, option.power, request.power)
    most = outlet_watts(request)
    if most is not None and option.wall_power is None and request.outlet is not None and not _plugged(option, most):
        return _draws(option, None, most)
    if most is not None and (option.wall_power or 0.0) > most:
        return say(
            "{name} draws {power} W at the wall; a household outlet gives {most} W. Raise it with --outlet.",
            name=option.machine.name, power=f"{option.wall_power:,.0f}", most=f"{most:,.0f}",
        )  # fmt: skip
    return None


def _draws(option: HardwareOption, watts: float | None, most: float) -> Message:
    power = say("an unknown power") if watts is None else Message(f"{watts:,.0f} W")
    return say("{name} draws {power}; the limit is {n} W.", name=option.machine.name, power=power, n=f"{most:,.0f}")


def _plugged(option: HardwareOption, most: float) -> bool:
    """Return True for one computer that is sold with its own plug, where the socket is that of a household or better."""
    gpus = option.machine.gpus
    return option.count == 1 and (not gpus or gpus[0].kind != "gpu") and most >= OWN_PLUG


def outlet_watts(request: PlanRequest) -> float | None:
    """Return what the asker's socket gives, None if he limits the power himself [W]."""
    if request.outlet is not None:
        return request.outlet
    return None if request.power is not None else OUTLETS[request.paid_in]


def _case_reason(option: HardwareOption) -> Message | None:
    """Return why no case takes so many cards."""
    device = option.machine.gpus[0]
    shape = card_shape(device.name, device.power)
    if device.kind != "gpu" or shape.passive or option.count <= shape.most:
        return None
    facts = {"most": shape.most, "name": device.name, "slots": shape.slots}
    return say("A case takes {most} of {name} ({slots} slots each).", **facts)


def _price_reason(entry: CatalogueDevice, option: HardwareOption, budget: Money, buyer: Buyer) -> Message | None:
    """Return why a machine is beyond a budget, None if it is not."""
    if option.price is None:
        if card_shape(entry.device.name, entry.device.power).passive:
            return say("{name} has no fan: it needs a server, whose price is not known.", name=entry.device.name)
        return why_unpriced(entry.name, entry.size_gib, buyer, entry.prices)
    limit = buyer.exchange.convert(budget.amount, budget.currency, "JPY")
    if limit is None or option.price <= limit:
        return None
    sums = (option.price, option.price - limit)
    costs, over = (buyer.exchange.convert(n, "JPY", buyer.currency) or 0.0 for n in sums)
    return say(
        "{name} costs {price}, {over} more than the budget.", name=option.machine.name,
        price=Money(costs, buyer.currency).text, over=Money(over, buyer.currency).text,
    )  # fmt: skip


def _price_kind(entry: CatalogueDevice, option: HardwareOption, buyer: Buyer) -> Rejection:
    """Return what kind of reason a price is: beyond the budget, second-hand only, or that nothing of it is sold."""
    if option.price is not None:
        return "price"
    return "used" if second_hand(entry.name, entry.size_gib, buyer) is not None else "unsold"
