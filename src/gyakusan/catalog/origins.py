"""Where the figures come from, and under which terms. Facts: data/sources.toml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from gyakusan.catalog.entry import PLACES
from gyakusan.catalog.records import entries


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """matches: parts of a record's `source`; license: SPDX, or "facts" where only facts were taken; gives: what;

    checked: ISO 8601; records: how many figures or records name it.
    """

    name: str
    matches: tuple[str, ...]
    license: str
    url: str
    gives: str
    checked: str
    records: int = 0


def source_records() -> tuple[SourceRecord, ...]:
    """Every source, not counted."""
    return _records()


@cache
def _records() -> tuple[SourceRecord, ...]:
    tables: list[dict[str, Any]] = [dict(e.table()) for e in entries("source")]
    return tuple(SourceRecord(**{**t, "matches": tuple(t["matches"])}) for t in tables)


def counted() -> tuple[SourceRecord, ...]:
    """Every source with the number of records, prices and rows that name it."""
    found = {s.name: 0 for s in source_records()}
    for text in said():
        source = of(text)
        if source is not None:
            found[source.name] += 1
    return tuple(replace(s, records=found[s.name]) for s in source_records())


def of(text: str) -> SourceRecord | None:
    """The source that a record's `source` means, None if nobody wrote it down."""
    return next((s for s in source_records() if any(m in text for m in s.matches)), None)


def said() -> Iterator[str]:
    """The source of every record, reported memory, price and chip."""
    from gyakusan.catalog.chips import chips

    for kind in PLACES:
        for entry in entries(kind) if kind != "source" else ():
            table = entry.table()
            yield str(table["source"])
            if table.get("memory_source"):
                yield str(table["memory_source"])
            yield from (str(price["source"]) for price in table.get("prices", ()))
    yield from (chip.source for chip in chips())
