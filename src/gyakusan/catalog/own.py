"""Add records of the user, which are checked first, and win over ours. They stand in `places.own`."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from gyakusan.catalog import check, places
from gyakusan.catalog.entry import MOST, PLACES, Entry
from gyakusan.catalog.records import entries, leave_out, own_entries, own_files
from gyakusan.catalog.toml_files import read
from gyakusan.doors import files
from gyakusan.errors import BadReference, BadSetting, GyakusanError


def ours() -> tuple[Entry, ...]:
    """Return every record that is not the user's."""
    return tuple(e for kind in PLACES for e in entries(kind) if not e.own)


def check_own(file: Path) -> int:
    """Return the number of records in a file, which may not use our names again. Raises BadRecord, BadReference."""
    files.text(file, MOST)
    return check.check_files([file], ours())


def leave_out_broken() -> tuple[Path, ...]:
    """Return the user's files that break a rule, each passed by from now on, with a notice."""
    broken = []
    for file in own_files():
        try:
            check.check_file(file)
            checked = read(file, own=True)
            if any(check.REFERENCES.keys() & entry.fields().keys() for entry in checked):
                check.check_references(checked, [*ours(), *own_entries()])
        except GyakusanError as error:
            leave_out(file, error)
            broken.append(file)
    return tuple(broken)


def add(text: bytes, name: str, *, replace: bool = False) -> tuple[Path, tuple[Entry, ...]]:
    """Keep a file of records under `name`, and return its path and its records.

    replace: the file may be there already, and its records may hide ours
    Raises BadRecord if it breaks a rule, BadReference if it has no records, BadSetting if the name is taken.
    """
    if len(text) > MOST:
        raise BadReference(
            "{name} is too large for a file of records.", name=name[:80], mend="Keep only the records you need."
        )
    plain = re.sub(r"[^\w.-]+", "-", name.rsplit("/", 1)[-1]).strip(".-") or "own"
    target = places.own() / (plain.removesuffix(".toml") + ".toml")
    if target.exists() and not replace:
        raise BadSetting("{file} exists already.", file=str(target), mend="Choose another name, or add --replace.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        draft.write_bytes(text)
        others = [e for e in own_entries() if e.file.name != target.name]
        if replace:
            check.check_files([draft], others, hidden=ours())
        else:
            check.check_files([draft], [*ours(), *others])
        records = read(draft)
        if not records:
            raise BadReference(
                "{name} has no records.", name=name[:80], mend="Begin a record with a table such as [[device]]."
            )
        os.replace(draft, target)
    return target, records
