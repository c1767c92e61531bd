"""The user's measurements, in one SQLite file: learned.sqlite in the folder of what is kept between calls.

PRAGMA user_version is 1; table `row`: number (the key), date, device, engine, quantity, document (JSON of `Row`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from gyakusan.catalog.places import state
from gyakusan.errors import SourceError
from gyakusan.learning.rows import MOST_ROWS, Row

VERSION = 1
BUSY = 10.0
"""How long another writer is waited for by a writer. [s]"""
READ_BUSY = 0.5
"""And by a reader: a forecast does without what is learned rather than wait. [s]"""
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY AUTOINCREMENT, date TEXT NOT NULL, device TEXT NOT NULL,"
    " engine TEXT NOT NULL, quantity TEXT NOT NULL, document BLOB NOT NULL)"
)

_FORGET = (
    "DELETE FROM row WHERE number IN (SELECT number FROM row"
    " ORDER BY json_extract(CAST(document AS TEXT), '$.origin') = 'import' DESC, number LIMIT ?)"
)


def path() -> Path:
    """Return where measurements are kept."""
    return state() / "learned.sqlite"


def add(rows: Sequence[Row], file: Path | None = None) -> None:
    """Keep rows, all or none. Raises SourceError."""
    change(lambda kept: rows, file)


def change(choose: Callable[[tuple[Row, ...]], Sequence[Row]], file: Path | None = None) -> None:
    """Keep what `choose` returns for all rows that are kept, in one transaction: all or none. Raises SourceError.

    What is past the most is forgotten: imports first, then the oldest. A file whose rows cannot be read takes no new ones.
    """
    place = file or path()
    with _open(place, write=True) as db:
        rows = choose(_rows(db, place))
        db.executemany(
            "INSERT INTO row (date, device, engine, quantity, document) VALUES (?, ?, ?, ?, ?)",
            [(r.date, r.device, r.engine, r.quantity, msgspec.json.encode(r)) for r in rows],
        )
        (count,) = db.execute("SELECT count(*) FROM row").fetchone()
        db.execute(_FORGET, (max(0, count - MOST_ROWS),))


def read(file: Path | None = None) -> tuple[Row, ...]:
    """Return all rows, the oldest first. Raises SourceError."""
    place = file or path()
    if not place.exists():
        return ()
    with _open(place, write=False) as db:
        empty = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row'").fetchone() is None
        return () if empty else _rows(db, place)


def _rows(db: sqlite3.Connection, place: Path) -> tuple[Row, ...]:
    found = db.execute("SELECT document FROM row ORDER BY number").fetchall()
    try:
        return tuple(msgspec.json.decode(d[0], type=Row) for d in found)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:
        raise _broken(place, str(error)) from error


def forget(file: Path | None = None) -> int:
    """Forget all rows; how many there were. Raises SourceError."""
    place = file or path()
    if not place.exists():
        return 0
    with _open(place, write=True) as db:
        return int(db.execute("DELETE FROM row").rowcount)


def stamp(file: Path | None = None) -> tuple[str, int, int] | None:
    """Return what changes whenever the rows do, None without any."""
    place = file or path()
    try:
        found = os.stat(place)
    except OSError:
        return None
    return str(place), found.st_mtime_ns, found.st_size


@contextmanager
def _open(place: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """Open the file for one transaction. Raises SourceError for a file that cannot be used."""
    try:
        if write:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.touch(mode=0o600)
        with closing(sqlite3.connect(place, timeout=BUSY if write else READ_BUSY)) as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version not in (0, VERSION):
                raise SourceError(
                    "{file} is of version {version}, and this gyakusan reads version {known}.",
                    file=str(place),
                    version=version,
                    known=VERSION,
                    mend="Install the newest gyakusan, or move the file away.",
                )
            with db:
                if write:
                    db.execute("BEGIN IMMEDIATE")
                    db.execute(_SCHEMA)
                    db.execute(f"PRAGMA user_version = {VERSION}")
                yield db
    except (OSError, sqlite3.Error) as error:
        raise _broken(place, getattr(error, "strerror", None) or str(error)) from error


def _broken(place: Path, problem: str) -> SourceError:
    return SourceError(
        "The measurements in {file} cannot be read or written: {problem}.",
        file=str(place),
        problem=problem.rstrip("."),
        mend="Move the file away; GYAKUSAN_LEARNED=off does without it.",
    )
