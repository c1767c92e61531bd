"""What is compared beside speed: memory to spare, the price of a machine today, its power."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gyakusan.core.machine import Machine
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.power import wall_watts
from gyakusan.planning.predict.speed import Estimate
from gyakusan.planning.request.request import MAX_DEVICES, PlanRequest


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
    """Return price and power of a machine, with a computer around its cards; used prices count if there is no new one."""
    count = max(1, min(MAX_DEVICES, len(machine.gpus)))
    for used in (False, True):
        request = PlanRequest(used=used, count=count, currency=currency)
        sold = next((o for o in market.all_machines(request) if o.machine.name == machine.name), None)
        if sold is not None and sold.price is not None:
            return DeviceFacts(sold.price, used, wall_watts(machine))
    return DeviceFacts(None, False, wall_watts(machine))
