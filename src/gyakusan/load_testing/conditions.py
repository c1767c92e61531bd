"""The state of this computer while it is measured: what else takes its time, and whether its GPU is held back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gyakusan.doors.files import whole
from gyakusan.errors import GyakusanError
from gyakusan.load_testing.server_processes import listening_processes
from gyakusan.posix import PROC, process_stats
from gyakusan.serving.process_memory import family


@dataclass(frozen=True, slots=True)
class Conditions:
    """What could make a server on this computer slower than it is.

    other_load: processor cores that programs other than server and client kept busy, None if it is not known
    cores: of this computer
    power_limit: of the GPU that is limited most, None if none is below its usual limit [W]
    usual_power: its usual limit [W]
    """

    other_load: float | None = None
    cores: int = 1
    power_limit: float | None = None
    usual_power: float = 0.0


def conditions(other_load: float | None = None) -> Conditions:
    """Return the state of this computer now. Never raises. other_load: cores, as `OtherPrograms` tells."""
    limit, usual = _power()
    return Conditions(other_load, os.cpu_count() or 1, limit, usual)


class OtherPrograms:
    """Counts the cores that other programs keep busy from now on: all but this process, some servers, and their children."""

    def __init__(self, servers: Sequence[int] = (), proc: Path = PROC) -> None:
        """Begin to count. servers: numbers of the processes that are measured; proc: where Linux tells of its processes."""
        self._ours = (os.getpid(), *servers)
        self._proc = proc
        self._begin = self._now()

    @property
    def cores(self) -> float | None:
        """Cores that they kept busy since the begin, None where the system does not tell (Linux does)."""
        begin, now = self._begin, self._now()
        if begin is None or now is None or now.passed <= begin.passed:
            return None
        return max(0.0, (now.busy - begin.busy) - (now.ours - begin.ours)) / (now.passed - begin.passed)

    def _now(self) -> _Spent | None:
        ticks = _ticks(self._proc / "stat")
        if ticks is None:
            return None
        every = process_stats(self._proc)
        parents = {pid: found.parent for pid, found in every.items()}
        ours = {pid for own in self._ours for pid in family(own, parents)} & every.keys()
        spent = sum(every[pid].seconds for pid in ours)
        second = float(os.sysconf("SC_CLK_TCK"))
        return _Spent(ticks[0] / second / (os.cpu_count() or 1), (ticks[0] - ticks[1]) / second, spent)


@dataclass(frozen=True, slots=True)
class _Spent:
    """Time since the computer was started.

    passed: by the clock [s]
    busy: of all cores on all programs [s]
    ours: of all cores on our own [s]
    """

    passed: float
    busy: float
    ours: float


def observed_with(port: int) -> Callable[[], Conditions]:
    """Begin to observe this computer while its server at `port` is loaded; return what tells its state afterwards.

    A server whose process we may not see cannot be told from other programs: what was busy before the load counts then.
    """
    servers = listening_processes(port)
    if not servers:
        before = busy_cores()
        return lambda: conditions(before)
    others = OtherPrograms(servers)
    return lambda: conditions(others.cores)


def busy_cores(seconds: float = 1.0, proc: Path = PROC) -> float | None:
    """Return how many cores other programs keep busy while we wait, None where the system does not tell.

    seconds: how long we wait [s]; proc: where Linux tells of its processes
    """
    others = OtherPrograms(proc=proc)
    time.sleep(seconds)
    return others.cores


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
