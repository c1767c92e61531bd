"""The state of this computer while it is measured: what else takes its time, and whether its GPU is held back."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conditions:
    """What could make a server on this computer slower than it is.

    other_load: processor cores that other programs kept busy before the bench, None if it is not known
    cores: of this computer
    power_limit: of the GPU that is limited most, None if none is below its usual limit [W]
    usual_power: its usual limit [W]
    """

    other_load: float | None = None
    cores: int = 1
    power_limit: float | None = None
    usual_power: float = 0.0


def conditions() -> Conditions:
    """Return the state of this computer now. Never raises."""
    load = None
    with suppress(OSError, AttributeError):
        load = os.getloadavg()[0]
    limit, usual = _power()
    return Conditions(load, os.cpu_count() or 1, limit, usual)


def _power() -> tuple[float | None, float]:
    """Return the power limit of a GPU that is below its usual one, and the usual one [W]."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001  without a driver, or with a broken one, nothing is known
        return None, 0.0
    found: list[tuple[float, float]] = []
    with suppress(Exception):
        for i in range(pynvml.nvmlDeviceGetCount()):
            gpu = pynvml.nvmlDeviceGetHandleByIndex(i)
            now = pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000
            usual = pynvml.nvmlDeviceGetPowerManagementDefaultLimit(gpu) / 1000
            found.append((now, usual))
    limited = [pair for pair in found if pair[0] < 0.9 * pair[1]]
    return min(limited, key=lambda pair: pair[0] / pair[1]) if limited else (None, 0.0)
