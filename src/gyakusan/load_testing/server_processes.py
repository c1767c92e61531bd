"""The processes behind an address of this computer, so that their work is not taken for that of other programs."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from gyakusan.doors.files import head
from gyakusan.errors import GyakusanError
from gyakusan.posix import PROC

LARGEST_TABLE = 16 * 2**20
"""Of the connections of a computer. [B]"""
_LISTENS = "0A"
_SOCKET = re.compile(r"socket:\[(\d{1,20})\]")


def listening_processes(port: int, proc: Path = PROC) -> tuple[int, ...]:
    """Return the processes that listen on a port of this computer, as far as Linux lets us see them.

    proc: where Linux tells of its processes and connections (proc(5), /proc/PID/fd and /proc/net/tcp)
    """
    sockets = {number for name in ("tcp", "tcp6") for number in _sockets(proc / "net" / name, port)}
    if not sockets:
        return ()
    return tuple(int(p.name) for p in _numbered(proc) if sockets & _open_sockets(p / "fd"))


def _sockets(table: Path, port: int) -> set[str]:
    """Return the numbers of the sockets that listen on a port."""
    try:
        lines = head(table, LARGEST_TABLE).decode("ascii", "replace").splitlines()[1:]
    except (OSError, GyakusanError):
        return set()
    rows = [words for line in lines if len(words := line.split()) > 9]
    return {w[9] for w in rows if w[3] == _LISTENS and w[1].endswith(f":{port:04X}")}


def _numbered(proc: Path) -> list[Path]:
    try:
        return [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []


def _open_sockets(folder: Path) -> set[str]:
    """Return the numbers of the sockets that a process holds, none where we may not look."""
    found = set()
    with suppress(OSError):
        for name in os.listdir(folder):
            with suppress(OSError):  # it was closed meanwhile
                if match := _SOCKET.fullmatch(os.readlink(folder / name)):
                    found.add(match[1])
    return found
