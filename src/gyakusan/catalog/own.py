"""Add records of the user, which are checked first, and win over ours. They stand in `places.own`."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from gyakusan.catalog import check, places
from gyakusan.catalog.entry import PLACES, Entry
from gyakusan.catalog.records import entries
from gyakusan.catalog.toml_files import read
from gyakusan.errors import BadReference, BadSetting

MOST = 4 * 1024 * 1024
"""Size of the longest file of records that is read. [B]"""


def ours() -> tuple[Entry, ...]:
    """Return every record that is not the user's."""
    return tuple(e for kind in PLACES for e in entries(kind) if not e.own)


def check_own(file: Path) -> int:
    """Return the number of records in a file, which may not use our names again. Raises BadRecord, BadReference."""
    _readable(file)
    return check.check_files([file], ours())


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
        others = [e for file in places.own_files() if file.name != target.name for e in read(file)]
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


def _readable(file: Path) -> None:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise BadReference(
            "{file} cannot be read ({why}).", file=str(file)[:200], why=error.strerror or "?", mend="Give a TOML file."
        ) from None
    if size > MOST:
        raise BadReference(
            "{name} is too large for a file of records.", name=file.name, mend="Keep only the records you need."
        )
