"""Find records of the catalogue by name, or list all of a kind.

They stand in TOML files that people edit (data/), and are looked up in the SQLite file that `compile` makes of these. The
user's own files (see `places`) are read as they are, and win over ours.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.catalog import places
from gyakusan.catalog.compile import open_catalogue
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.places import DATA

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "file, line, record.kind, name, aliases, sizes, crc, json"


def root() -> Path:
    """Return the folder of the records: ours, or a newer release that `gyakusan catalog update` has fetched."""
    return places.released() or DATA


def entries(kind: str) -> tuple[Entry, ...]:
    """Return every record of a kind in the order of files, the user's own first. Raises BadRecord."""
    return tuple(e for e in own_entries() if e.kind == kind) + _compiled(root(), kind)


def lookup(kind: str, key: str) -> tuple[Entry, ...]:
    """Return the records that a folded name (see names.keys) finds, the user's own first. Raises BadRecord."""
    own = tuple(e for e in own_entries() if e.kind == kind and key in e.keys)
    return own + _select(root(), "JOIN key ON key.record = id WHERE key.kind = ? AND key = ?", kind, key)


def own_entries() -> tuple[Entry, ...]:
    """Return the user's records. Raises BadRecord if a file of theirs is not TOML, cannot be read, or is from the future."""
    files = places.own_files()
    if not files:
        return ()
    from gyakusan.catalog.toml_files import read

    return tuple(e for file in files for e in read(file, own=True))


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
