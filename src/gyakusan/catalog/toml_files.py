"""Records of one TOML file, with the lines on which they begin."""

from __future__ import annotations

import json
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from zlib import crc32

from gyakusan.catalog.entry import MOST, PLACES, SCHEMA, Entry, bad_record
from gyakusan.doors import files
from gyakusan.doors.parse import toml_value
from gyakusan.errors import BadRecord, BadReference, SourceError
from gyakusan.message import Message, say

_HEADER = re.compile(rf"\[\[ *({'|'.join(PLACES)}) *\]\]")


def read(file: Path, *, own: bool = False) -> tuple[Entry, ...]:
    """Return the records of a file in order. own: they are the user's. Raises BadRecord."""
    return _read(file, own, files.stamp(file))


@lru_cache(maxsize=64)
def _read(file: Path, own: bool, _stamp: tuple[int, int] | None) -> tuple[Entry, ...]:
    document, text = tables(file)
    lines = text.split("\n")
    starts = [(m[1], n) for n, line in enumerate(lines) if (m := _HEADER.match(line))]
    rows = {kind: document.get(kind, []) for kind in PLACES}
    if any(not isinstance(r, list) or len(r) != sum(k == kind for k, _ in starts) for kind, r in rows.items()):
        raise bad_record(file, "", say('every record begins with [[kind]] and has a line of the form name = "..."'))
    ends = [n for _, n in starts[1:]] + [len(lines)]
    left = {kind: iter(r) for kind, r in rows.items()}
    return tuple(
        _entry(kind, next(left[kind]), lines[n:end], file, n + 1, own)
        for (kind, n), end in zip(starts, ends, strict=False)  # no start, no record
    )


def tables(file: Path) -> tuple[dict[str, Any], str]:
    """Return what a file says, and its text. Raises BadRecord if it is not TOML, or from the future."""
    try:
        text = files.text(file, MOST)
    except (BadReference, SourceError) as error:
        raise BadRecord("{what}", what=error.message, mend="Correct the catalogue file.") from error
    document = toml_value(text, partial(_no_toml, file))
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


def _no_toml(file: Path, why: Message) -> BadRecord:
    """Return the error for a file that is not TOML. why: half a sentence, of which the parser's names a line."""
    if "line" not in why.facts:
        return bad_record(file, "", why)
    told = say("column {column}: {why}", column=why.facts["column"], why=why.facts["why"])
    return bad_record(file, "", told, int(why.facts["line"]))


def _entry(kind: str, row: dict[str, Any], lines: list[str], file: Path, line: int, own: bool) -> Entry:
    name, aliases, sizes = row.get("name"), row.get("aliases", []), row.get("sizes_gib", [])
    if not isinstance(name, str) or not name:
        raise bad_record(file, "".join(lines[1:2])[:80], say('no line of the form name = "..."'), line)
    if not isinstance(aliases, list) or not isinstance(sizes, list):
        raise bad_record(file, name, say("aliases and sizes_gib are lists"), line)
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
