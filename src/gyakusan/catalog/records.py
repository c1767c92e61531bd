"""Find records of the catalogue by name, or list all of a kind.

They stand in TOML files that people edit (data/), and are looked up in the SQLite file that `compile` makes of these. The
user's own files (see `places`) are read as they are, and win over ours.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.catalog import kept_releases, places
from gyakusan.catalog.compile import open_catalogue
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.places import DATA
from gyakusan.doors.files import shown, stamp
from gyakusan.doors.notices import notice
from gyakusan.doors.scope import sees_computer
from gyakusan.errors import GyakusanError, SourceError
from gyakusan.message import say

if TYPE_CHECKING:
    import sqlite3

OWN_FILES = 1_000
"""Most files of the user's own records."""
_left_out: dict[Path, tuple[int, int] | None] = {}
"""Files of the user's that are passed by -> their state when they were read; see files.stamp."""
_COLUMNS = "file, line, record.kind, name, aliases, sizes, crc, json"


def root() -> Path:
    """Return the folder of the records: ours, or a release that `gyakusan catalog update` has fetched."""
    return kept_releases.in_use() or DATA


def entries(kind: str) -> tuple[Entry, ...]:
    """Return every record of a kind in the order of files, the user's own first. Raises BadRecord."""
    return tuple(e for e in own_entries() if e.kind == kind) + _compiled(root(), kind)


def checksums(kind: str) -> list[tuple[str, int]]:
    """Return name and CRC-32 of every record of a kind but the user's, in the order of files. Raises BadRecord."""
    return _rows(root(), "SELECT name, crc FROM record WHERE kind = ? ORDER BY id", (kind,))


def lookup(kind: str, key: str) -> tuple[Entry, ...]:
    """Return the records that a folded name (see names.keys) finds, the user's own first. Raises BadRecord."""
    own = tuple(e for e in own_entries() if e.kind == kind and key in e.keys)
    return own + _select(root(), "JOIN key ON key.record = id WHERE key.kind = ? AND key = ?", kind, key)


def own_entries() -> tuple[Entry, ...]:
    """Return the user's records, none where this computer is not looked at: see doors.scope.

    What is not TOML, cannot be read, or is from the future is passed by with a notice.
    """
    if not sees_computer():
        return ()
    return tuple(e for file in own_files() for e in _own(file))


def own_files() -> tuple[Path, ...]:
    """Return the user's files of records, none where their folder cannot be read; a notice says so."""
    try:
        found = places.own_files()
    except SourceError as error:
        notice(error.message)
        return ()
    if len(found) > OWN_FILES:
        notice(
            say("{file} has more than {limit} files: the others are left out.", file=str(places.own()), limit=OWN_FILES)
        )
    return found[:OWN_FILES]


def leave_out(file: Path, error: GyakusanError) -> None:
    """Pass by a file of the user's as long as it stays as it is, and say so once."""
    _left_out[file] = stamp(file)
    notice(say("Your records in {file} are left out: {why}", file=shown(file), why=error.message))


def _own(file: Path) -> tuple[Entry, ...]:
    from gyakusan.catalog.toml_files import read

    if file in _left_out and _left_out[file] == stamp(file):
        return ()
    try:
        return read(file, own=True)
    except GyakusanError as error:
        leave_out(file, error)
        return ()


@cache
def _compiled(data: Path, kind: str) -> tuple[Entry, ...]:
    return _select(data, "WHERE kind = ?", kind)


def _select(data: Path, condition: str, *values: str) -> tuple[Entry, ...]:
    rows = _rows(data, f"SELECT {_COLUMNS} FROM record {condition} ORDER BY id", values)
    files = {row[0]: data / row[0] for row in rows}
    return tuple(
        Entry(
            kind=kind,
            name=name,
            aliases=tuple(aliases.split("\n")) if aliases else (),
            sizes=tuple(map(int, sizes.split())),
            file=files[file],
            line=line,
            crc=crc,
            own=False,
            json=json,
        )
        for file, line, kind, name, aliases, sizes, crc, json in rows
    )


def _rows(data: Path, query: str, values: tuple[str, ...]) -> list[Any]:
    """Return the rows of a query. A compiled file that is damaged is compiled anew."""
    import sqlite3

    if any(not value.isascii() and value.encode("utf-8", "replace").decode() != value for value in values):
        return []  # bytes of a terminal that are no text name nothing
    try:
        return _database(data).execute(query, values).fetchall()
    except sqlite3.DatabaseError:
        return _repaired(data).execute(query, values).fetchall()


@cache
def _database(data: Path) -> sqlite3.Connection:
    return open_catalogue(data)


@cache
def _repaired(data: Path) -> sqlite3.Connection:
    _database.cache_clear()
    return open_catalogue(data, damaged=True)
