"""What a server's processes hold and use, as the system tells it: memory and processor time."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

from gyakusan import posix
from gyakusan.doors.files import head
from gyakusan.errors import GyakusanError

_LINE = re.compile(rb"^(Pss|VmRSS):\s+(\d{1,12}) kB", re.MULTILINE)
_READ = 65536


def resident_bytes(pid: int) -> int | None:
    """Return what a process and all that it started hold of the RAM, shared pages in equal parts; None if not known [B].

    Of a model on a GPU this is the part in RAM.
    """
    parents = _parents()
    if not parents:
        return None
    found = [_of(p) for p in family(pid, parents)]
    known = [size for size in found if size is not None]
    return sum(known) if known else None


def processor_seconds(pid: int) -> float | None:
    """Return the processor time of a process and all that it started, None where the system does not tell [s].

    A server may compute in a child.
    """
    if posix.processor_seconds(pid) is None:
        return None
    return sum(posix.processor_seconds(one) or 0.0 for one in family(pid, _parents()))


def family(pid: int, parents: Mapping[int, int]) -> tuple[int, ...]:
    """Return a process and all that descend from it.

    parents: process -> the one that started it
    """
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one and child not in found]
    return tuple(found)


def _parents() -> dict[int, int]:
    """Return each process with the one that started it."""
    if not os.path.isdir("/proc/self"):
        return _parents_by_ps()
    return {pid: found.parent for pid, found in posix.process_stats().items()}


def _parents_by_ps() -> dict[int, int]:
    lines = [line.split() for line in _ps("-axo", "pid=,ppid=").splitlines()]
    return {int(line[0]): int(line[1]) for line in lines if len(line) == 2 and all(w.isdecimal() for w in line)}


def _of(pid: int) -> int | None:
    """Return what one process holds [B]."""
    if not os.path.isdir("/proc/self"):
        told = _ps("-o", "rss=", "-p", str(pid)).strip()
        return int(told) * 1024 if told.isdecimal() else None
    for name in ("smaps_rollup", "status"):
        try:
            match = _LINE.search(head(f"/proc/{pid}/{name}", _READ))
        except (OSError, GyakusanError):
            continue
        if match:
            return int(match[2]) * 1024
    return None


def _ps(*words: str) -> str:
    try:
        told = subprocess.run(["/bin/ps", *words], capture_output=True, timeout=5.0, env={"LC_ALL": "C"}, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.decode("ascii", "replace")
