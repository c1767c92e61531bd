"""Every catalogue file against its schema: unknown or missing keys, wrong types, names used twice. The tests run it.

python -m gyakusan.catalog.check
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gyakusan.catalog import devices, models, tags
from gyakusan.catalog.names import spoken
from gyakusan.catalog.records import DATA, Entry, bad_record, entries, scan
from gyakusan.core.machine import Price
from gyakusan.errors import BadRecord

RECORDS: dict[str, type] = {
    "device": devices.DeviceRecord,
    "machine": devices.MachineRecord,
    "model": models.ModelRecord,
    "tags": tags.TagsRecord,
    "base": tags.BaseRecord,
}

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


def check(data: Path = DATA) -> int:
    """The number of records. Raises BadRecord for the first that breaks a rule."""
    files = sorted(data.rglob("*.toml"))
    count = sum(check_file(file) for file in files)
    every = [e for file in files for e in scan(file)]
    _unique(_spoken_devices(every))
    _unique((models.key(n), e) for e in every if e.kind == "model" for n in e.names)
    known = {e.name for e in every if e.kind == "device"}
    for entry in every:
        if entry.kind == "machine" and entry.table()["device"] not in known:
            raise bad_record(entry.file, entry.name, f"no device is called {entry.table()['device']!r}")
    return count


def check_file(file: Path) -> int:
    """The number of records in one file. Raises BadRecord."""
    import msgspec

    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad_record(file, "", str(error)) from error
    if set(tables) - set(RECORDS):
        raise bad_record(file, "", f"unknown tables {sorted(set(tables) - set(RECORDS))}")
    rows = [(kind, row) for kind, found in tables.items() for row in found]
    for kind, row in rows:
        try:
            msgspec.convert(row, strict(RECORDS[kind]))
        except msgspec.ValidationError as error:
            raise bad_record(file, str(row.get("name", "?")), str(error)) from error
        _facts(file, row)
    read = [(row["name"], row.get("aliases", []), row.get("sizes_gib", [])) for _, row in rows]
    if read != [(e.name, list(e.aliases), list(e.sizes)) for e in scan(file)]:
        raise bad_record(file, "", "a record's name, aliases and sizes_gib must each stand on a line of their own")
    return len(rows)


def strict(cls: type) -> Any:
    """A msgspec type like the dataclass `cls`, but refusing keys that it does not have."""
    import msgspec

    hints = typing.get_type_hints(cls)
    fields: list[Any] = []
    for f in dataclasses.fields(cls):
        kind: Any = list[strict(Price)] if f.name == "prices" else hints[f.name]  # type: ignore[misc]
        if f.default is not dataclasses.MISSING:
            fields.append((f.name, kind, f.default))
        elif f.default_factory is not dataclasses.MISSING:
            fields.append((f.name, kind, msgspec.field(default_factory=f.default_factory)))
        else:
            fields.append((f.name, kind))
    return msgspec.defstruct(cls.__name__, fields, forbid_unknown_fields=True, kw_only=True)


def _facts(file: Path, row: dict[str, Any]) -> None:
    """Figures that no device has, dates that are none, a source that is missing. Raises BadRecord."""
    name = row["name"]
    wrong = [k for k in ("bandwidth_gb_s", "power_w", "memory_mib", "parameters", "tensors") if row.get(k, 1) <= 0]
    wrong += [k for k in ("checked", "released") if not _DATE.fullmatch(row.get(k, "2026-01-01"))]
    wrong += [k for k in ("source",) if not row[k].strip()]
    wrong += ["sizes_gib"] * (min(row.get("sizes_gib", [1]), default=0) < 1)
    wrong += ["memory_source"] * (bool(row.get("memory_mib")) != bool(row.get("memory_source")))
    wrong += ["memory_mib"] * ("memory_mib" in row and len(row["sizes_gib"]) != 1)
    wrong += ["rule"] * (row.get("kind") == "unified" and not row.get("rule"))
    for price in row.get("prices", ()):
        good = price["amount"] > 0 and re.fullmatch("[A-Z]{3}", price["currency"]) and price["source"].strip()
        wrong += ["prices"] * (not good or not _DATE.fullmatch(price["date"]))
    if wrong:
        raise bad_record(file, name, f"{', '.join(dict.fromkeys(wrong))} cannot be right")


def _spoken_devices(every: list[Entry]) -> Iterator[tuple[str, Entry]]:
    """Devices and computers are told apart by key and size."""
    for entry in every:
        for size in entry.sizes:
            for key in {spoken(n).key for n in entry.names}:
                yield f"{key} {size} GiB", entry


def _unique(names: typing.Iterable[tuple[str, Entry]]) -> None:
    seen: dict[str, Entry] = {}
    for key, entry in names:
        other = seen.setdefault(key, entry)
        if other is not entry:
            raise bad_record(entry.file, entry.name, f"{key!r} also means {other.name!r} in {other.file.name}")


if __name__ == "__main__":
    try:
        print(f"{check()} records, {len(entries('models'))} of them models")
    except BadRecord as error:
        raise SystemExit(str(error)) from None
