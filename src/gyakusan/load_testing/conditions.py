"""The state of this computer while it is measured: what else takes its time, and whether its GPU is held back."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gyakusan.doors.files import whole
from gyakusan.errors import GyakusanError


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


def busy_cores(seconds: float = 1.0, stat: Path = Path("/proc/stat")) -> float | None:
    """Return how many cores all programs keep busy while we wait, None where the system does not tell (Linux does).

    seconds: how long we wait [s]; stat: the kernel's counters
    """
    before = _ticks(stat)
    time.sleep(seconds)
    after = _ticks(stat)
    if before is None or after is None or after[0] <= before[0]:
        return None
    idle = (after[1] - before[1]) / (after[0] - before[0])
    return max(0.0, 1 - idle) * (os.cpu_count() or 1)


def _ticks(stat: Path) -> tuple[int, int] | None:
    """Return all ticks of all cores and the idle ones (proc(5), /proc/stat: the 4th and 5th figure)."""
    try:
        figures = [int(n) for n in whole(stat, 2**20).decode().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError, GyakusanError):
        return None
    return (sum(figures), figures[3] + figures[4]) if len(figures) > 4 else None


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
