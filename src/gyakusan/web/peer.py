"""Whose program asks: every account of a computer reaches its loopback address, and only its owner may start and stop servers."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path

from gyakusan import posix
from gyakusan.doors.files import head
from gyakusan.errors import GyakusanError

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""Where Linux lists its connections with the user of each. Source: proc_net_tcp.rst of the kernel."""
LARGEST = 4 * 2**20
"""No more is read of a table. [B]"""
_MAPPED = b"\x00\x00\xff\xff"
"""Before an IPv4 address that an IPv6 socket holds."""
ROOT = 0
"""The administrator's number."""
_LOCAL, _USER = 1, 7
"""Columns of the address of the end that a process holds, and of its user."""


def is_mine(client: tuple[str, int] | None, *, root: bool = False) -> bool:
    """Return True if the other end of a connection is a program of this user on this computer.

    root: True for the administrator's programs, too, who sees everything anyway: what only reads may come through theirs
    client: address and port of that end. A system that does not tell whose it is counts every program of this computer.
    """
    if client is None:
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_loopback:
        return False
    tables = [t for t in TABLES if t.exists()]
    wanted = {f"{form}:{client[1]:04X}" for form in _forms(mapped or address)}
    users = {user for table in tables for local, user in _rows(table) if local in wanted}
    known = {posix.user(), ROOT} if root else {posix.user()}
    return (bool(users) and users <= known) if tables else True


def _forms(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[str, ...]:
    """Return how the tables write an address: words of four bytes in the processor's order."""
    if address.version == 4:
        short = _hex(address.packed)
        return short, f"{'0' * 16}{_hex(_MAPPED)}{short}"
    return (_hex(address.packed),)


def _hex(packed: bytes) -> str:
    words = (packed[i : i + 4] for i in range(0, len(packed), 4))
    return "".join((w[::-1] if sys.byteorder == "little" else w).hex().upper() for w in words)


def _rows(table: Path) -> Iterator[tuple[str, int]]:
    """Yield address and user of each connection; a line that cannot be read is none."""
    try:
        text = head(table, LARGEST).decode("ascii", "replace")
    except (GyakusanError, OSError, ValueError):
        return
    for line in text.splitlines()[1:]:
        cells = line.split()
        if len(cells) > _USER and cells[_USER].isdecimal():
            yield cells[_LOCAL], int(cells[_USER])
