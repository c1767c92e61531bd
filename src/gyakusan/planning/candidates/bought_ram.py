"""The RAM of a computer that is bought around graphics cards, as its price says: what its server may keep there depends on it."""

from __future__ import annotations

from gyakusan import machines
from gyakusan.core.machine import Machine
from gyakusan.planning.candidates.hardware import HardwareOption


def bought_ram(option: HardwareOption) -> int:
    """Return the RAM that comes with what is bought, 0 where nobody says it or the asker named another [GiB]."""
    host = option.machine.host
    if host is None or host.memory is not None:
        return 0
    return max((item.ram_gib for item in option.items), default=0)


def with_bought_ram(option: HardwareOption) -> Machine:
    """Return the machine with the RAM that comes with it, where plans put no part of a model unasked."""
    size = bought_ram(option)
    return machines.with_ram(option.machine, f"{size}GiB") if size else option.machine
