"""Every catalogue file against its schema: unknown or missing keys, wrong types, names used twice. The tests run it.

python -m gyakusan.catalog.check
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gyakusan.catalog import rules
from gyakusan.catalog.compile import toml_files
from gyakusan.catalog.entry import Entry, bad_record, broken
from gyakusan.catalog.places import DATA
from gyakusan.catalog.records import entries
from gyakusan.catalog.schema import RECORDS, strict
from gyakusan.catalog.toml_files import read, tables
from gyakusan.errors import BadRecord


def check(data: Path = DATA) -> int:
    """The number of records. Raises BadRecord for the first that breaks a rule."""
    return check_files(toml_files(data))


def check_files(files: Iterable[Path], beside: Iterable[Entry] = ()) -> int:
    """The number of records in `files`. beside: what else there is, whose names must not be used again. Raises BadRecord."""
    files = tuple(files)
    count = sum(check_file(file) for file in files)
    every = [e for file in files for e in read(file)]
    _unique([*beside, *every])
    _referred(every, [*beside, *every])
    return count


def check_file(file: Path) -> int:
    """Return the number of records in one file. Raises BadRecord."""
    rows = _rows(file)
    found = read(file)
    for entry in found:
        row = next(rows[entry.kind])
        try:
            msgspec.convert(row, strict(RECORDS[entry.kind]))
        except msgspec.ValidationError as error:
            raise broken(entry, rules.explained(row, str(error)), rules.field_of(str(error))) from error
        for problem, field in rules.problems(entry.kind, row):
            raise broken(entry, problem, field)
    return len(found)


def _rows(file: Path) -> dict[str, Iterator[dict[str, Any]]]:
    """Return what TOML says of the records of each kind. Raises BadRecord for a table that is no kind of record."""
    found, _ = tables(file)
    unknown = sorted(set(found) - set(RECORDS) - {"schema"})
    if unknown:
        raise bad_record(file, "", f"unknown tables {unknown}; known are {sorted(RECORDS)}")
    return {kind: iter(rows) for kind, rows in found.items() if kind != "schema"}


def _referred(mine: Iterable[Entry], every: Iterable[Entry]) -> None:
    """Raises BadRecord for a name of another record that nothing has."""
    known = {(e.kind, key) for e in every for key in (*e.names, *e.keys)}
    for entry in mine:
        row = entry.fields()
        for kind, field in (("device", "device"), ("device", "cpu"), ("model", "like"), ("model", "derived_from")):
            name = row.get(field)
            if isinstance(name, str) and name and (kind, name) not in known:
                raise broken(entry, f"no {kind} is called {name!r}", field)


def _named(every: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    """Devices and computers are told apart by key and size, everything else by key and kind."""
    for entry in every:
        for key in entry.keys:
            if entry.kind in ("device", "machine"):
                yield from ((f"{key} {size} GiB", entry) for size in entry.sizes)
            else:
                yield f"{key}" if entry.kind in ("model", "embedding") else f"{entry.kind} {key}", entry


def _unique(every: Iterable[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for key, entry in _named(every):
        other = seen.setdefault(key, entry)
        if other is not entry:
            raise broken(entry, f"{key!r} also means {other.name!r} in {other.file.name}, line {other.line}", "name")


if __name__ == "__main__":
    try:
        print(f"{check()} records, {len(entries('model'))} of them models")
    except BadRecord as error:
        raise SystemExit(str(error)) from None
