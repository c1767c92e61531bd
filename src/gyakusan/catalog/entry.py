"""One record of the catalogue as it stands in a TOML file, and errors that name its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gyakusan.catalog.names import keys
from gyakusan.doors import files
from gyakusan.errors import BadRecord
from gyakusan.message import Message, quoted

MOST = 1024 * 1024
"""Longest file of records that is read. [B]"""
SCHEMA = 1
"""Version of the form of the TOML files. A file may say `schema = N`; one from the future is refused."""

PLACES = {
    "device": "devices",
    "machine": "machines.toml",
    "model": "models",
    "embedding": "embeddings",
    "tags": "registry",
    "base": "registry",
    "price": "prices.toml",
    "rate": "rates.toml",
    "source": "sources.toml",
}
"""Kind of record, which is the name of its TOML table -> folder or file of the catalogue's data."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with its place, not yet a value.

    kind: its TOML table, one of PLACES
    name: as written
    aliases: other names that mean it
    sizes: memory as sold, empty unless it is a device or a computer [GiB]
    file: the TOML file that it stands in
    line: of that file, where it begins
    crc: CRC-32 of its TOML text
    own: True for a record of the user
    json: its fields
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    sizes: tuple[int, ...]
    file: Path
    line: int
    crc: int
    own: bool
    json: str = field(repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def keys(self) -> tuple[str, ...]:
        """Folded names that find it."""
        return keys(self.kind, self.names)

    def line_of(self, key: str) -> int:
        """Return the line on which a field stands, the record's first line if it has none."""
        lines = files.text(self.file, MOST).split("\n")[self.line :] if key else []
        for number, line in enumerate(lines, self.line + 1):
            if line.startswith("[["):
                break
            if re.match(rf'"?{re.escape(key)}"? *=', line):
                return number
        return self.line

    def fields(self) -> dict[str, Any]:
        """Return the record's fields, lists as tuples."""
        from json import loads

        return {key: tuple(value) if isinstance(value, list) else value for key, value in loads(self.json).items()}


def broken(entry: Entry, problem: str | Message, key: str = "") -> BadRecord:
    """Return a BadRecord that names file, line, record and problem. key: the field whose line is named."""
    return bad_record(entry.file, entry.name, problem, entry.line_of(key))


def bad_record(file: Path, name: str, problem: str | Message, line: int = 1) -> BadRecord:
    """Return a BadRecord that names file, line, record and problem. name: "" for the file itself."""
    return BadRecord(
        "{file}, line {line}, record {name}: {problem}." if name else "{file}, line {line}: {problem}.",
        file=file.name,
        line=line,
        name=quoted(name),
        problem=problem.rstrip(".") if isinstance(problem, str) else problem,
        mend="Correct the catalogue file.",
    )
