"""Compile the TOML files of the catalogue into one SQLite file, in which a name finds its record by an index.

Whoever opens a stale file compiles it anew; wheels carry one (hatch_build.py).

python -m gyakusan.catalog.compile
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.catalog.places import DATA

if TYPE_CHECKING:
    from gyakusan.catalog.entry import Entry

COMPILED = "catalogue.sqlite"
_RULES = [Path(__file__).with_name(name) for name in ("compile.py", "entry.py", "names.py", "toml_files.py")]
"""Code that decides what stands in the compiled file: an edit of it makes the file stale, too."""
_TABLES = """
CREATE TABLE record (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, aliases TEXT, sizes TEXT,
                     file TEXT, line INTEGER, crc INTEGER, json TEXT);
CREATE INDEX record_kind ON record (kind);
CREATE TABLE key (kind TEXT, key TEXT, record INTEGER, PRIMARY KEY (kind, key, record)) WITHOUT ROWID;
CREATE TABLE source (file TEXT PRIMARY KEY, size INTEGER, modified INTEGER) WITHOUT ROWID;
"""


def open_catalogue(data: Path, *, damaged: bool = False) -> sqlite3.Connection:
    """Return the compiled catalogue of `data`, compiled anew if a file changed since. Raises BadRecord.

    Where nothing may be written and nothing fresh stands, it is compiled in memory.
    damaged: True if what stands there cannot be read
    """
    target = data / COMPILED
    if damaged or not is_fresh(data):
        try:
            compile_catalogue(data)
        except (OSError, sqlite3.OperationalError):
            memory = sqlite3.connect(":memory:", check_same_thread=False)
            fill(memory, data)
            return memory
    return sqlite3.connect(f"{target.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def is_fresh(data: Path) -> bool:
    """Return True if the compiled file is of the files that stand under `data` now, by name, size and time."""
    target = data / COMPILED
    try:
        with closing(sqlite3.connect(f"{target.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            compiled = {file: rest for file, *rest in database.execute("SELECT file, size, modified FROM source")}
    except sqlite3.Error:
        return False
    now = {file: [size, modified] for file, size, modified in sources(data)}
    return compiled.keys() == now.keys() and all(
        size == now[file][0] and modified in (0, now[file][1]) for file, (size, modified) in compiled.items()
    )


def sources(data: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, size [B] and time of change [ns] of every file that decides what stands in the compiled file."""
    folders = ["", *(entry.name + "/" for entry in os.scandir(data) if entry.is_dir())]
    for folder in folders:
        for entry in os.scandir(f"{data}/{folder}"):
            if entry.name.endswith(".toml"):
                yield folder + entry.name, entry.stat().st_size, entry.stat().st_mtime_ns
    for rule in _RULES:
        if rule.exists():
            yield rule.name, rule.stat().st_size, rule.stat().st_mtime_ns


def toml_files(data: Path) -> list[Path]:
    """Return the files of records under `data`."""
    return sorted(data / file for file, _, _ in sources(data) if file.endswith(".toml"))


def compile_catalogue(data: Path = DATA, target: Path | None = None, *, packaged: bool = False) -> Path:
    """Write the compiled file, at once and whole. Raises BadRecord, OSError.

    target: where, beside the TOML files by default; packaged: for a wheel, whose files have other times once they are
    installed, so that only names and sizes can be compared.
    """
    from tempfile import mkstemp  # takes longer to import than a look-up takes

    target = target or data / COMPILED
    handle, draft = mkstemp(prefix=".", suffix=".sqlite", dir=target.parent)
    os.close(handle)
    try:
        with closing(sqlite3.connect(draft)) as database:
            fill(database, data, packaged=packaged)
        os.chmod(draft, 0o644)
        os.replace(draft, target)
    finally:
        Path(draft).unlink(missing_ok=True)
    return target


def fill(database: sqlite3.Connection, data: Path, *, packaged: bool = False) -> None:
    """Write every record under `data` into an empty database. Raises BadRecord."""
    from gyakusan.catalog.toml_files import read

    before = [(file, size, 0 if packaged else modified) for file, size, modified in sources(data)]
    entries = [e for file in toml_files(data) for e in read(file)]
    database.executescript(_TABLES)
    database.executemany("INSERT INTO source VALUES (?, ?, ?)", before)
    rows = [_row(n, entry, data) for n, entry in enumerate(entries)]
    database.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    database.executemany(
        "INSERT INTO key VALUES (?, ?, ?)", [(e.kind, key, n) for n, e in enumerate(entries) for key in e.keys]
    )
    database.commit()


def _row(n: int, entry: Entry, data: Path) -> tuple[int | str, ...]:
    names = (entry.kind, entry.name, "\n".join(entry.aliases), "\n".join(map(str, entry.sizes)))
    return (n, *names, entry.file.relative_to(data).as_posix(), entry.line, entry.crc, entry.json)


if __name__ == "__main__":
    print(compile_catalogue())
