"""Sources of the figures, and their terms. Facts: data/sources.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from gyakusan.catalog.entry import PLACES
from gyakusan.catalog.records import entries


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """Somebody whose figures we have.

    name: shown in lists
    matches: parts of the `source` of a record, a price or a chip that mean this source
    license: SPDX identifier, or "facts" where only facts were taken
    url: its address
    gives: which figures
    checked: when somebody looked there, ISO 8601
    records: number of figures that name it; counted, never written
    """

    name: str
    matches: tuple[str, ...]
    license: str
    url: str
    gives: str
    checked: str
    records: int = 0


@cache
def source_records() -> tuple[SourceRecord, ...]:
    """Return every source, not counted."""
    return tuple(SourceRecord(**e.fields()) for e in entries("source"))


def counted() -> tuple[SourceRecord, ...]:
    """Return every source with the number of records, prices and chips that name it."""
    named = Counter(source.name for text in source_texts() if (source := of(text)))
    return tuple(replace(s, records=named[s.name]) for s in source_records())


def of(text: str) -> SourceRecord | None:
    """Return the source that a record's `source` means, None if it has no record."""
    return next((s for s in source_records() if any(m in text for m in s.matches)), None)


def source_texts() -> Iterator[str]:
    """Yield the `source` of every record, reported memory, price and chip."""
    from gyakusan.catalog.chips import chips

    for kind in PLACES:
        for entry in entries(kind) if kind != "source" else ():
            fields = entry.fields()
            yield str(fields["source"])
            if fields.get("memory_source"):
                yield str(fields["memory_source"])
            yield from (str(price["source"]) for price in fields.get("prices", ()))
    yield from (chip.source for chip in chips())
