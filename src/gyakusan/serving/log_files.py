"""Logs of servers: their last lines, and what is added to them."""

from __future__ import annotations

from pathlib import Path

from gyakusan.doors import files

LONGEST = 4 * 2**20
"""No more is read of the end of a log. [B]"""


def last_lines(path: Path, count: int) -> tuple[list[str], int]:
    """Return the last lines of a log, and where it ends [B]. Raises BadReference, SourceError."""
    text, end = _from(path, max(0, _size(path) - LONGEST))
    return text.splitlines()[-count:], end


def new_text(path: Path, place: int) -> tuple[str, int]:
    """Return what was added behind a place, and where the log ends now [B]. A log that is shorter began anew.

    Raises BadReference, SourceError.
    """
    return _from(path, place if place <= _size(path) else 0)


def _size(path: Path) -> int:
    with files.open(path) as disk:
        return disk.size or 0


def _from(path: Path, place: int) -> tuple[str, int]:
    with files.open(path) as disk:
        most = min(max(0, (disk.size or 0) - place), LONGEST)
        raw = disk.read(place, most) if most else b""
    return raw.decode("utf-8", "replace"), place + len(raw)
