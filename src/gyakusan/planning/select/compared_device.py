"""What is compared beside speed: memory to spare, the price of a machine today, its power."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gyakusan.core.machine import Machine
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.power import wall_watts
from gyakusan.planning.predict.speed import Estimate
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest
from gyakusan.planning.select.why_not_device import has_device


@dataclass(frozen=True, slots=True)
class SpeedRatio:
    """How many times as fast one is as the other.

    value: the expected ratio
    low: lower end of its 80 % interval
    high: upper end of its 80 % interval
    """

    value: float
    low: float
    high: float

    @property
    def equal(self) -> bool:
        """True if the interval holds 1: neither is faster beyond the error."""
        return self.low <= 1 <= self.high


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A machine as it is sold.

    price: of everything that is bought, None = not known [JPY]
    used: it is sold second-hand only
    watts: what it takes from its socket at work, None = not known [W]
    """

    price: float | None
    used: bool
    watts: float | None


def speed_ratio(faster: Estimate, slower: Estimate) -> SpeedRatio | None:
    """Return the ratio of two speeds; the logarithms of their errors add in squares. None without a lower end."""
    if min(faster.low, slower.low) <= 0:
        return None
    ratio = faster.value / slower.value
    down = math.hypot(math.log(faster.value / faster.low), math.log(slower.high / slower.value))
    up = math.hypot(math.log(faster.high / faster.value), math.log(slower.value / slower.low))
    return SpeedRatio(ratio, ratio * math.exp(-down), ratio * math.exp(up))


def device_facts(machine: Machine, currency: str = "JPY") -> DeviceFacts:
    """Return price and power of a machine, with a computer around its cards; used prices count if there is no new one.

    Prices are those that plans buy for. A chip that is sold inside computers has the price of the cheapest of them.
    """
    count = max(1, min(MAX_DEVICES, len(machine.gpus)))
    for used in (False, True):
        request = PlanRequest(used=used, count=count, currency=currency)
        prices = [o.price for o in market.all_machines(request) if o.price is not None and _is_sold_as(machine, o)]
        if prices:
            return DeviceFacts(min(prices), used, wall_watts(machine))
    return DeviceFacts(None, False, wall_watts(machine))


def price_as_named(machine: Machine) -> tuple[float, str] | None:
    """Return what plans pay in Japan for what the name says, and of which month: for a card the card alone [JPY].

    Second-hand offers do not count. None if nothing is known.
    """
    request = PlanRequest(base_computer_price=Money(0, "JPY"), currency="JPY")
    found = [
        (sum(item.paid for item in items), min(item.month for item in items))
        for o in market.all_machines(request)
        if o.count == 1 and o.price is not None and _is_sold_as(machine, o)
        and (items := [item for item in o.items if item.what in ("card", "computer", "laptop")])
    ]  # fmt: skip
    return min(found, default=None)


def _is_sold_as(machine: Machine, option: HardwareOption) -> bool:
    """Return True if an option is this machine, or a computer with this chip and as much memory."""
    if option.machine.name == machine.name:
        return True
    mine, its = machine.gpus, option.machine.gpus
    alike = len(mine) == len(its) > 0 and mine[0].memory == its[0].memory
    return alike and has_device(option.machine.name, machine.name)
