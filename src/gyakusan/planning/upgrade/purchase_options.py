"""What can be bought for a machine that is owned: more cards, other cards, a whole computer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gyakusan.core.machine import Device, Machine
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.computers import larger_computer
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.power import MOST_CARDS, is_enterprise
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
    """

    kind: Kind
    what: str
    offer: HardwareOption
    price: float
    resale: float
    sweep_machine: Machine

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
    free = replace(
        request, device=None, memory=None, reserve=None, budget=None, base_computer_price=base_price, count=2
    )
    hardware = [o for o in market.priced_machines(free) if _sensible(o)]
    purchases = [*_replacements(hardware, owned, resale, takes_cards=takes_cards)]
    if takes_cards and owned.machine.gpus:
        purchases += _additions(hardware, owned, Buyer(request.paid_in, exchange))
    power, outlet = request.power, market.outlet_watts(request)
    limited = (
        p
        for p in purchases
        if (power is None or (p.offer.power or power + 1) <= power)
        and (outlet is None or (p.offer.wall_power or 0.0) <= outlet)
    )
    return tuple(sorted(limited, key=lambda p: (p.net, p.offer.machine.name)))


def _sensible(option: HardwareOption) -> bool:
    """Return False for cards of data centres: they have no fan, and a PC does not cool them."""
    return option.price is not None and (
        option.machine.gpus[0].kind == "unified" or not is_enterprise(option.machine.name)
    )


def _replacements(
    hardware: Sequence[HardwareOption], owned: HardwareOption, resale: float, *, takes_cards: bool
) -> Iterator[PurchaseOption]:
    """Yield other machines in place of the old one. takes_cards: the computer does, so that cards alone are bought."""
    for option in hardware:
        machine = option.machine
        if machine.name == owned.machine.name or option.price is None:
            continue
        if machine.gpus[0].kind == "unified" or not takes_cards:
            yield PurchaseOption("computer", machine.name, option, option.price, resale, machine)
        elif owned.machine.gpus:
            yield PurchaseOption("replacement_card", machine.name, option, option.price, resale, machine)
        else:
            yield PurchaseOption("first_card", machine.name, option, option.price, 0.0, machine)


def _additions(hardware: Sequence[HardwareOption], owned: HardwareOption, buyer: Buyer) -> Iterator[PurchaseOption]:
    """Yield more cards for the same computer, the third and later of which need a larger one."""
    old = owned.machine.gpus
    alike = len({g.name for g in old}) == 1
    for option in (o for o in hardware if o.count == 1 and o.machine.gpus[0].kind == "gpu"):
        card = option.machine.gpus[0]
        same = alike and card.name == old[0].name
        if not same and card.backend != old[0].backend:
            continue
        most = min(MAX_CARDS, MAX_DEVICES) - len(old) if same else min(1, MAX_CARDS - len(old))
        for count in range(1, most + 1):
            yield _addition(option, old[-1] if same else card, count, owned, buyer, same=same)


def _addition(
    option: HardwareOption, card: Device, count: int, owned: HardwareOption, buyer: Buyer, *, same: bool
) -> PurchaseOption:
    """Return some more cards for the same computer. option: one card as it is sold."""
    old = owned.machine.gpus
    gpus = (*old, *((card,) * count))
    larger = larger_computer(len(gpus), buyer) if len(gpus) > MOST_CARDS >= len(old) else 0.0
    price = (option.price or 0.0) * count + buyer.yen(larger)
    machine = _with_cards(owned.machine, gpus)
    name = option.machine.gpus[0].name
    return PurchaseOption(
        "same_card" if same else "added_card",
        name if count == 1 else f"{count}x {name}",
        HardwareOption(machine, len(gpus), price, option.items, _power(gpus)),
        price,
        0.0,
        machine if same else _with_equal_cards(machine),
    )


def _with_cards(computer: Machine, gpus: Sequence[Device]) -> Machine:
    """Return a computer with these cards, the slowest first: the speed of all is computed from the first."""
    ordered = tuple(sorted(gpus, key=lambda g: g.bandwidth or 0.0))
    counts = Counter(g.name for g in ordered)
    name = " + ".join(n if count == 1 else f"{count}x {n}" for n, count in counts.items())
    return replace(computer, name=name, gpus=ordered)


def _with_equal_cards(machine: Machine) -> Machine:
    """Return the machine with equal cards of the same memory in all, which is what the sweep can compute.

    The sweep splits layers evenly, llama.cpp by memory. The engine's ledger then confirms a plan on the real cards.
    """
    gpus = machine.gpus
    known = [g.memory for g in gpus if g.memory is not None]
    memory = sum(known) // len(gpus) if len(known) == len(gpus) else None
    card = replace(gpus[0], memory=memory, reserved=max(g.reserved for g in gpus))
    return replace(machine, gpus=(card,) * len(gpus))


def _power(gpus: Sequence[Device]) -> float | None:
    """Return the power of all cards, None if one is unknown [W]."""
    known = [g.power for g in gpus if g.power is not None]
    return sum(known) if len(known) == len(gpus) else None
