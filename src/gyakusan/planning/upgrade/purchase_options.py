"""What can be bought for a machine that is owned: more cards, other cards, a whole computer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import structs

from gyakusan.core.machine import Device, Machine
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.computers import Items, larger_computer, supply_items
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.power import MOST_CARDS, devices_watts, supply_watts
from gyakusan.planning.candidates.prices import Buyer
from gyakusan.planning.request.money import ExchangeRates, Money
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest

Kind = Literal["same_card", "added_card", "replacement_card", "first_card", "computer"]
"""same_card: more of the card that is owned; added_card: another card next to the old ones; replacement_card: other cards
in their place; first_card: cards where there is none; computer: a whole one."""
MAX_CARDS = 4
"""Cards that are proposed for a computer that is owned: more is a server."""


@dataclass(frozen=True, slots=True)
class PurchaseOption:
    """One thing to buy for a machine that is owned.

    kind: of the purchase
    what: name of what is bought, e.g. "2x RTX 3090"
    offer: the machine after the purchase
    price: of what is bought [JPY]
    resale: what the old machine brings where it is replaced, else 0 [JPY]
    sweep_machine: the machine that the sweep computes with; unlike cards are replaced by equal ones
    complete: price of a whole computer with the one card that is bought, None unless it is lower than `price` [JPY]
    """

    kind: Kind
    what: str
    offer: HardwareOption
    price: float
    resale: float
    sweep_machine: Machine
    complete: float | None = None

    @property
    def net(self) -> float:
        """Price less resale value, negative where the old machine brings more [JPY]."""
        return self.price - self.resale


def purchase_options(
    request: PlanRequest, owned: HardwareOption, resale: float, exchange: ExchangeRates
) -> tuple[PurchaseOption, ...]:
    """Return everything with a known price, cheapest first. resale: of the machine that is owned [JPY]."""
    takes_cards = not owned.machine.gpus or owned.machine.gpus[0].kind == "gpu"
    base_price = Money(0.0, "JPY") if takes_cards else request.base_computer_price
    free = structs.replace(
        request, device=None, memory=None, reserve=None, budget=None, base_computer_price=base_price, count=2
    )
    hardware = market.priced_machines(free)
    purchases = [*_replacements(hardware, owned, resale, takes_cards=takes_cards)]
    if takes_cards and owned.machine.gpus:
        purchases += _additions(hardware, owned, Buyer(request.paid_in, exchange))
    power, outlet = request.power, market.outlet_watts(request)
    whole = _complete_computers(free, request.base_computer_price)
    limited = (
        _beside_complete(p, whole)
        for p in purchases
        if (power is None or (p.offer.power or power + 1) <= power)
        and (outlet is None or (p.offer.wall_power or 0.0) <= outlet)
    )
    return tuple(sorted(limited, key=lambda p: (p.net, p.offer.machine.name)))


def _complete_computers(free: PlanRequest, around: Money | None) -> dict[str, float]:
    """Return the price of a whole computer with one card, by the card's name [JPY]. around: price of a computer around it.

    The RAM that was given is that of the computer that is owned: a whole one has its own.
    """
    every = market.priced_machines(structs.replace(free, base_computer_price=around, count=1, ram=None))
    return {o.machine.name: o.price for o in every if o.price is not None and not o.own_computer}


def _beside_complete(option: PurchaseOption, whole: Mapping[str, float]) -> PurchaseOption:
    """Return a purchase with the price of a whole computer with its card, where that is lower."""
    price = None if option.kind == "computer" else whole.get(option.what)
    return option if price is None or price >= option.price else replace(option, complete=price)


def _replacements(
    hardware: Sequence[HardwareOption], owned: HardwareOption, resale: float, *, takes_cards: bool
) -> Iterator[PurchaseOption]:
    """Yield other machines in place of the old one. takes_cards: the computer does, so that cards alone are bought."""
    for option in hardware:
        machine = option.machine
        if machine.name == owned.machine.name or option.price is None:
            continue
        if not (takes_cards and option.own_computer):
            yield PurchaseOption("computer", machine.name, option, option.price, resale, machine)
            continue
        machine = _with_cards(owned.machine, machine.gpus)
        option = structs.replace(option, machine=machine)
        if owned.machine.gpus:
            yield PurchaseOption("replacement_card", machine.name, option, option.price or 0.0, resale, machine)
        else:
            yield PurchaseOption("first_card", machine.name, option, option.price or 0.0, 0.0, machine)


def _additions(hardware: Sequence[HardwareOption], owned: HardwareOption, buyer: Buyer) -> Iterator[PurchaseOption]:
    """Yield more cards for the same computer, the third and later of which need a larger one."""
    old = owned.machine.gpus
    alike = len({g.name for g in old}) == 1
    for option in (o for o in hardware if o.count == 1 and o.own_computer):
        card = option.machine.gpus[0]
        same = alike and card.name == old[0].name
        if not same and card.backend != old[0].backend:
            continue
        most = min(MAX_CARDS, MAX_DEVICES) - len(old) if same else min(1, MAX_CARDS - len(old))
        for count in range(1, most + 1):
            addition = _addition(option, old[-1] if same else card, count, owned, buyer, same=same)
            if addition is not None:
                yield addition


def _addition(
    option: HardwareOption, card: Device, count: int, owned: HardwareOption, buyer: Buyer, *, same: bool
) -> PurchaseOption | None:
    """Return some more cards for the same computer, None if what they need around them has no price.

    option: one card as it is sold
    """
    old = owned.machine.gpus
    gpus = (*old, *((card,) * count))
    around = _around(gpus, len(old), buyer)
    if around is None:
        return None
    sold = option.items[0]
    items = (structs.replace(sold, quantity=count, paid=sold.paid * count), *around)
    price = buyer.yen(sum(i.paid for i in items))
    machine = _with_cards(owned.machine, gpus)
    name = option.machine.gpus[0].name
    return PurchaseOption(
        "same_card" if same else "added_card",
        name if count == 1 else f"{count}x {name}",
        HardwareOption(machine, len(gpus), price, items, devices_watts(machine)),
        price,
        0.0,
        machine if same else _with_equal_cards(machine),
    )


def _around(gpus: Sequence[Device], before: int, buyer: Buyer) -> Items | None:
    """Return what all cards together need beside them: a larger computer, or a power supply, or nothing; None if it has no price.

    before: cards that the computer holds today
    """
    known = [g.power for g in gpus if g.power is not None]
    watts = supply_watts(sum(known), 1) if len(known) == len(gpus) else None
    if len(gpus) <= MOST_CARDS or before > MOST_CARDS:
        return supply_items(watts, buyer)
    larger = larger_computer(len(gpus), watts, buyer)
    return None if larger is None else (larger,)


def _with_cards(computer: Machine, gpus: Sequence[Device]) -> Machine:
    """Return a computer with these cards, the slowest first: the speed of all is computed from the first."""
    ordered = tuple(sorted(gpus, key=lambda g: g.bandwidth or 0.0))
    counts = Counter(g.name for g in ordered)
    name = " + ".join(n if count == 1 else f"{count}x {n}" for n, count in counts.items())
    return structs.replace(computer, name=name, gpus=ordered)


def _with_equal_cards(machine: Machine) -> Machine:
    """Return the machine with equal cards of the same memory in all, which is what the sweep can compute.

    The sweep splits layers evenly, llama.cpp by memory. The engine's ledger then confirms a plan on the real cards.
    """
    gpus = machine.gpus
    known = [g.memory for g in gpus if g.memory is not None]
    memory = sum(known) // len(gpus) if len(known) == len(gpus) else None
    card = structs.replace(gpus[0], memory=memory, reserved=max(g.reserved for g in gpus))
    return structs.replace(machine, gpus=(card,) * len(gpus))
