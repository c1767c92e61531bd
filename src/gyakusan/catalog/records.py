"""Records in TOML files that people edit. A lookup scans the names and parses only the record it wants.

Parsing every record would cost more than the answer: the scan reads three keys of each (name, aliases, sizes_gib),
which therefore stand on one line each. `check` parses everything and refuses what breaks the schema; the tests run it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gyakusan.errors import BadRecord

DATA = Path(__file__).parent / "data"

_START = re.compile(r"^\[\[(device|machine|model|tags|base)\]\]\n", re.MULTILINE)
_NAME = re.compile(r'^name = "([^"]+)"$', re.MULTILINE)
_SIZES = re.compile(r"^sizes_gib = \[(.*)\]$", re.MULTILINE)
_ALIASES = re.compile(r"^aliases = \[(.*)\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, not parsed yet. kind: the table that it is (device, model, tags ...); text: its TOML; file: where it stands."""

    kind: str
    name: str
    aliases: tuple[str, ...]
    text: str
    file: Path

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Memory as sold, empty for a model. [GiB]"""
        line = _SIZES.search(self.text)
        return tuple(int(n) for n in re.findall(r"\d+", line[1])) if line else ()

    def table(self) -> Mapping[str, Any]:
        """The record as TOML says. Raises BadRecord if it is no TOML."""
        import tomllib

        try:
            found: Mapping[str, Any] = tomllib.loads(self.text)[self.kind][0]
            return found
        except tomllib.TOMLDecodeError as error:
            raise bad_record(self.file, self.name, str(error)) from error


def bad_record(file: Path, name: str, problem: str) -> BadRecord:
    """BadRecord that names file, record and problem."""
    return BadRecord(
        "{file}, record {name}: {problem}.",
        file=file.name,
        name=repr(name),
        problem=problem.rstrip("."),
        mend="Correct the catalogue file.",
    )


@cache
def scan(path: Path) -> tuple[Entry, ...]:
    """Entries of one file, in order. Raises BadRecord for a record without a name on a line of its own."""
    text = path.read_text("utf-8")
    starts = list(_START.finditer(text))
    ends = [m.start() for m in starts[1:]] + [len(text)]
    return tuple(_entry(m[1], text[m.start() : end], path) for m, end in zip(starts, ends, strict=True))


def entries(folder: str) -> tuple[Entry, ...]:
    """Entries of every file in a folder of the catalogue, or of one file ("machines.toml")."""
    place = DATA / folder
    files = sorted(place.glob("*.toml")) if place.is_dir() else [place]
    return tuple(e for file in files for e in scan(file))


def _entry(kind: str, text: str, path: Path) -> Entry:
    name = _NAME.search(text)
    if name is None:
        raise bad_record(path, text[:80].split("\n")[1], 'no line of the form name = "..."')
    aliases = _ALIASES.search(text)
    return Entry(kind, name[1], tuple(re.findall(r'"([^"]*)"', aliases[1])) if aliases else (), text, path)
