"""What can be bought for a computer that is owned: the card again, another card, one beside it, a whole computer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gyakusan.core.machine import Device, Machine
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.request.money import ExchangeRates
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest

Kind = Literal["again", "beside", "instead", "first", "computer"]
"""again: the same card once more; beside: another card beside the old ones; instead: another card in their place;
first: a card where there is none; computer: a whole one."""
MOST_CARDS = 4
"""Cards of one kind that are proposed for a computer that somebody has: more is a server."""


@dataclass(frozen=True, slots=True)
class PurchaseOption:
    """what: is bought, by name; offer: the machine that there would be then; price: of what is bought [JPY];

    resale: what the old one brings where it goes, 0 where it stays [JPY]; guess: the machine as the columns see it, see
    `_guess`.
    """

    kind: Kind
    what: str
    offer: HardwareOption
    price: float
    resale: float
    guess: Machine

    @property
    def net(self) -> float:
        """What is paid in the end. [JPY] Less than nothing where the old one brings more."""
        return self.price - self.resale


def purchase_options(
    asked: PlanRequest, now: HardwareOption, resale: float, exchange: ExchangeRates
) -> tuple[PurchaseOption, ...]:
    """Everything with a price, cheapest first. resale: of what is owned [JPY]."""
    cards = not now.machine.gpus or now.machine.gpus[0].kind == "gpu"
    whole = exchange.convert(asked.base_computer_price.amount, asked.base_computer_price.currency, "JPY") or 0.0
    around = replace(asked.base_computer_price, amount=0.0) if cards else asked.base_computer_price
    free = replace(asked, device=None, memory=None, reserve=None, budget=None, base_computer_price=around, count=2)
    found = [o for o in market.priced_machines(free) if _sensible(o)]
    made = [*_replaced(found, now, resale, cards)]
    if cards and now.machine.gpus:
        made += _added(found, now, whole)
    limited = (o for o in made if asked.power is None or (o.offer.power or asked.power + 1) <= asked.power)
    return tuple(sorted(limited, key=lambda o: (o.net, o.offer.machine.name)))


def _sensible(offer: HardwareOption) -> bool:
    """False for cards of data centres: they have no fan, and a PC does not cool them."""
    return offer.price is not None and (
        offer.machine.gpus[0].kind == "unified" or not market.is_enterprise(offer.machine.name)
    )


def _replaced(found: list[HardwareOption], now: HardwareOption, resale: float, cards: bool) -> Iterator[PurchaseOption]:
    """Other machines in place of the old one. cards: what is owned takes cards, so that a card alone is bought."""
    for offer in found:
        if offer.machine.name == now.machine.name or offer.price is None:
            continue
        whole = offer.machine.gpus[0].kind == "unified" or not cards
        kind: Kind = "computer" if whole else "instead" if now.machine.gpus else "first"
        yield PurchaseOption(
            kind, offer.machine.name, offer, offer.price, 0.0 if kind == "first" else resale, offer.machine
        )


def _added(found: list[HardwareOption], now: HardwareOption, around: float) -> Iterator[PurchaseOption]:
    """More cards in the same computer; from the third on it must be a larger one. around: price of a computer [JPY]"""
    have = now.machine.gpus
    alike = len({g.name for g in have}) == 1
    for one in (o for o in found if o.count == 1 and o.machine.gpus[0].kind == "gpu"):
        card, price = one.machine.gpus[0], one.price or 0.0
        same = alike and card.name == have[0].name
        most = min(MOST_CARDS, MAX_DEVICES) - len(have) if same else min(1, MOST_CARDS - len(have))
        for more in range(1, most + 1):
            total = len(have) + more
            if not same and card.backend != have[0].backend:
                break
            cost = price * more + around * (market.chassis_factor(total) - market.chassis_factor(len(have)))
            gpus = (*have, *((have[-1] if same else card,) * more))
            machine = _several(now.machine, gpus)
            offer = HardwareOption(machine, total, cost, one.seen, _power(gpus))
            what = card.name if more == 1 else f"{more}x {card.name}"
            yield PurchaseOption(
                "again" if same else "beside", what, offer, cost, 0.0, machine if same else _guess(machine)
            )


def _several(old: Machine, gpus: tuple[Device, ...]) -> Machine:
    """The old computer with these cards, the slowest first: its pace is what all are counted at."""
    ordered = tuple(sorted(gpus, key=lambda g: g.bandwidth or 0.0))
    many = Counter(g.name for g in ordered)
    name = " + ".join(n if count == 1 else f"{count}x {n}" for n, count in many.items())
    return replace(old, name=name, gpus=ordered)


def _guess(machine: Machine) -> Machine:
    """Equal cards with the same memory in all, for the columns: they deal out layers evenly, llama.cpp by memory.

    What is chosen so is then priced on the real cards.
    """
    gpus = machine.gpus
    known = [g.memory for g in gpus if g.memory is not None]
    memory = sum(known) // len(gpus) if len(known) == len(gpus) else None
    one = replace(gpus[0], memory=memory, reserved=max(g.reserved for g in gpus))
    return replace(machine, gpus=(one,) * len(gpus))


def _power(gpus: tuple[Device, ...]) -> float | None:
    known = [g.power for g in gpus if g.power is not None]
    return sum(known) if len(known) == len(gpus) else None
