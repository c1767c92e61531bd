"""Check every catalogue file: unknown or missing fields, wrong types, impossible figures, names used twice.

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
from gyakusan.catalog.schema import RECORDS, strict
from gyakusan.catalog.toml_files import read, tables
from gyakusan.errors import BadRecord
from gyakusan.message import Message, quoted, say

REFERENCES = {"device": "device", "cpu": "device", "like": "model", "derived_from": "model"}
"""Field of a record -> the kind of record that it names."""
MODEL_FACTS = ("license", "released", "languages")
"""What the catalogue must say of every model, besides source and date of the check."""


def check(data: Path = DATA) -> int:
    """Return the number of records under `data`. Raises BadRecord for the first that breaks a rule."""
    files = toml_files(data)
    count = check_files(files)
    if data == DATA:
        check_facts(e for file in files for e in read(file))
    return count


def check_files(files: Iterable[Path], others: Iterable[Entry] = (), hidden: Iterable[Entry] = ()) -> int:
    """Return the number of records in `files`. Raises BadRecord.

    others: records that exist already, whose names may not be used again
    hidden: records that exist already, whose names may be used again
    """
    files = tuple(files)
    count = sum(check_file(file) for file in files)
    checked = [e for file in files for e in read(file)]
    _check_names([*others, *checked])
    check_references(checked, [*others, *hidden, *checked])
    return count


def check_file(file: Path) -> int:
    """Return the number of records in one file. Raises BadRecord."""
    rows = _rows(file)
    entries = read(file)
    for entry in entries:
        row = next(rows[entry.kind])
        try:
            msgspec.convert(row, strict(RECORDS[entry.kind]))
        except msgspec.ValidationError as error:
            raise broken(entry, rules.explained(row, str(error)), rules.field_of(str(error))) from error
        for problem, field in rules.problems(entry.kind, row):
            raise broken(entry, problem, field)
    return len(entries)


def check_facts(entries: Iterable[Entry]) -> None:
    """Raise BadRecord for a model of the catalogue that lacks its licence, its date or its languages."""
    for entry in entries:
        if entry.kind == "model":
            fields = entry.fields()
            for field in MODEL_FACTS:
                if not fields.get(field):
                    raise broken(entry, say("{field} is missing", field=field))


def _rows(file: Path) -> dict[str, Iterator[dict[str, Any]]]:
    """Return what TOML says of the records of each kind. Raises BadRecord for a table that is no kind of record."""
    document, _ = tables(file)
    unknown = sorted(set(document) - set(RECORDS) - {"schema"})
    if unknown:
        template = "no table is called {unknown}; known are {known}"
        raise bad_record(
            file, "", Message(template, {"unknown": ", ".join(unknown), "known": ", ".join(sorted(RECORDS))})
        )
    return {kind: iter(rows) for kind, rows in document.items() if kind != "schema"}


def check_references(checked: Iterable[Entry], every: Iterable[Entry]) -> None:
    """Raise BadRecord for a reference to a record that does not exist."""
    known = {(e.kind, key) for e in every for key in (*e.names, *e.keys)}
    for entry in checked:
        row = entry.fields()
        for field, kind in REFERENCES.items():
            name = row.get(field)
            if isinstance(name, str) and name and (kind, name) not in known:
                raise broken(entry, say("no {kind} is called {name}", kind=say(kind), name=quoted(name)), field)


def _names(entries: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    """Yield what must be unique: key and size of devices and computers, key and kind of everything else."""
    for entry in entries:
        for key in entry.keys:
            if entry.kind in ("device", "machine"):
                yield from ((f"{key} {size} GiB", entry) for size in entry.sizes)
            else:
                yield f"{key}" if entry.kind in ("model", "embedding") else f"{entry.kind} {key}", entry


def _check_names(entries: Iterable[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for key, entry in _names(entries):
        other = seen.setdefault(key, entry)
        if other is not entry:
            facts = {"key": quoted(key), "other": quoted(other.name), "file": other.file.name, "line": other.line}
            raise broken(entry, Message("{key} also means {other} in {file}, line {line}", facts), "name")


if __name__ == "__main__":
    try:
        print(f"{check()} records, {sum(e.kind == 'model' for f in toml_files(DATA) for e in read(f))} of them models")
    except BadRecord as error:
        raise SystemExit(str(error)) from None
