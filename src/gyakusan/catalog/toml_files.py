"""Records of one TOML file, with the lines on which they begin."""

from __future__ import annotations

import json
import re
import tomllib
from errno import EINVAL
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any
from zlib import crc32

from gyakusan.catalog.entry import PLACES, SCHEMA, Entry, bad_record
from gyakusan.errors import BadRecord

_HEADER = re.compile(rf"\[\[ *({'|'.join(PLACES)}) *\]\]")


def read(file: Path, *, own: bool = False) -> tuple[Entry, ...]:
    """Return the records of a file in order. own: they are the user's. Raises BadRecord."""
    try:
        status = file.stat()
        if not S_ISREG(status.st_mode):  # a pipe would be waited for
            raise OSError(EINVAL, "not a regular file", str(file))
        return _read(file, own, status.st_mtime_ns)
    except OSError as error:
        raise BadRecord(
            "{file} cannot be read: {why}.",
            file=str(file),
            why=error.strerror or "?",
            mend="Correct the catalogue file.",
        ) from error


@lru_cache(maxsize=64)
def _read(file: Path, own: bool, _modified: int) -> tuple[Entry, ...]:
    document, text = tables(file)
    lines = text.split("\n")
    starts = [(m[1], n) for n, line in enumerate(lines) if (m := _HEADER.match(line))]
    rows = {kind: document.get(kind, []) for kind in PLACES}
    if any(not isinstance(r, list) or len(r) != sum(k == kind for k, _ in starts) for kind, r in rows.items()):
        raise bad_record(file, "", 'every record begins with [[kind]] and has a line of the form name = "..."')
    ends = [n for _, n in starts[1:]] + [len(lines)]
    left = {kind: iter(r) for kind, r in rows.items()}
    return tuple(
        _entry(kind, next(left[kind]), lines[n:end], file, n + 1, own)
        for (kind, n), end in zip(starts, ends, strict=False)  # no start, no record
    )


def tables(file: Path) -> tuple[dict[str, Any], str]:
    """Return what a file says, and its text. Raises BadRecord if it is not TOML, or from the future."""
    try:
        text = file.read_text("utf-8")
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise bad_record(file, "", str(error), int(line[1]) if line else 1) from error
    form = document.get("schema", SCHEMA)
    if isinstance(form, int) and form > SCHEMA:
        raise BadRecord(
            "{file}, line {line}: its format is {said}; this version reads formats up to {known}.",
            file=file.name,
            line=next(n for n, line in enumerate(text.split("\n"), 1) if line.startswith("schema")),
            said=str(form),
            known=SCHEMA,
            mend="Upgrade gyakusan: pip install -U gyakusan",
        )
    return document, text


def _entry(kind: str, row: dict[str, Any], lines: list[str], file: Path, line: int, own: bool) -> Entry:
    name, aliases, sizes = row.get("name"), row.get("aliases", []), row.get("sizes_gib", [])
    if not isinstance(name, str) or not name:
        raise bad_record(file, "".join(lines[1:2])[:80], 'no line of the form name = "..."', line)
    if not isinstance(aliases, list) or not isinstance(sizes, list):
        raise bad_record(file, name, "aliases and sizes_gib are lists", line)
    aliases = [a for a in aliases if isinstance(a, str)]
    return Entry(
        kind=kind,
        name=name,
        aliases=tuple(aliases),
        sizes=tuple(n for n in sizes if isinstance(n, int)),
        file=file,
        line=line,
        crc=crc32("\n".join(lines).strip().encode()),
        own=own,
        json=json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str),
    )
