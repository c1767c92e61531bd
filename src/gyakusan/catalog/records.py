"""Records in TOML files that people edit. A lookup parses only the record it wants.

Where it stands is known from an index (data/index/*.tsv, written by `python -m gyakusan.catalog.compile`), or, if a file was
edited since, from a scan for three keys of each record (name, aliases, sizes_gib), which therefore stand on one line each.
The user's own records (see `places`) are scanned and win over ours. `check` parses everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from gyakusan.catalog import places
from gyakusan.catalog.names import keys
from gyakusan.errors import BadRecord

DATA = Path(__file__).parent / "data"
SCHEMA = 1
"""Version of the form of these files. A file may say `schema = N`; one from the future is refused."""

_START = r"^\[\[(device|machine|model|embedding|tags|base|rate|source)\]\]\n"
_SCHEMA = r"^schema = (\d+)"
_NAME = r'^name = "([^"]+)"$'
_SIZES = r"^sizes_gib = \[(.*)\]$"
_ALIASES = r"^aliases = \[(.*)\]$"
"""Not compiled at import: a lookup by the index needs none of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, not parsed yet.

    kind: the table that it is (device, model, tags ...); sizes: memory as sold, empty for a model [GiB]; keys: what finds
    it; file, line: where it stands; start, end: its bytes; own: the user's.
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    sizes: tuple[int, ...]
    keys: tuple[str, ...]
    file: Path
    line: int
    start: int
    end: int
    own: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def text(self) -> str:
        """Its TOML."""
        return _bytes(self.file)[self.start : self.end].decode("utf-8")

    def line_of(self, field: str) -> int:
        """The line on which a field stands, the record's first line if it has none."""
        found = re.search(rf'^"?{re.escape(field)}"? *=', self.text, re.MULTILINE) if field else None
        return self.line + (self.text.count("\n", 0, found.start()) if found else 0)

    def table(self) -> Mapping[str, Any]:
        """The record as TOML says. Raises BadRecord if it is no TOML."""
        import tomllib

        try:
            found: Mapping[str, Any] = tomllib.loads(self.text)[self.kind][0]
            return found
        except tomllib.TOMLDecodeError as error:
            raise broken(self, str(error)) from error


def broken(entry: Entry, problem: str, field: str = "") -> BadRecord:
    """BadRecord that names file, line, record and problem. field: whose line counts."""
    return bad_record(entry.file, entry.name, problem, entry.line_of(field))


def bad_record(file: Path, name: str, problem: str, line: int = 1) -> BadRecord:
    """BadRecord that names file, line, record and problem. name: "" = the file itself."""
    return BadRecord(
        "{file}, line {line}, record {name}: {problem}." if name else "{file}, line {line}: {problem}.",
        file=file.name,
        line=line,
        name=repr(name),
        problem=problem.rstrip("."),
        mend="Correct the catalogue file.",
    )


def root() -> Path:
    """Where the records are: ours, or a newer release that `gyakusan catalog update` has fetched."""
    return places.released() or DATA


@cache
def entries(folder: str) -> tuple[Entry, ...]:
    """Entries of every file in a folder of the catalogue, or of one file ("machines.toml"); the user's own come first."""
    own = tuple(e for e in own_entries() if e.kind in KINDS[folder])
    index = _index(root(), folder)
    fresh = index is not None and index.fresh()
    return own + (tuple(index.every()) if index and fresh else _scanned(root(), folder))


def lookup(folder: str, key: str) -> tuple[Entry, ...]:
    """Entries that `key` finds, the user's own first. Only these are made if the index is fresh."""
    own = tuple(e for e in own_entries() if e.kind in KINDS[folder] and key in e.keys)
    index = _index(root(), folder)
    if index is not None:
        found = tuple(index.find(key))
        if all(_stands(e) for e in found) and (found or index.fresh()):
            return own + found
    return own + tuple(e for e in _scanned(root(), folder) if key in e.keys)


def _stands(entry: Entry) -> bool:
    """True if the record is where the index says."""
    name = re.search(_NAME, entry.text, re.MULTILINE)
    return entry.text.startswith(f"[[{entry.kind}]]") and name is not None and name[1] == entry.name


KINDS = {
    "devices": ("device",),
    "machines.toml": ("machine",),
    "models": ("model",),
    "embeddings": ("embedding",),
    "registry": ("tags", "base"),
    "rates.toml": ("rate",),
    "sources.toml": ("source",),
}
"""Folder or file of the catalogue -> the tables in it."""


def own_entries() -> tuple[Entry, ...]:
    """The user's records. Raises BadRecord if a file of theirs cannot be scanned."""
    return tuple(e for file in places.own_files() for e in scan(file, own=True))


@cache
def _scanned(data: Path, folder: str) -> tuple[Entry, ...]:
    """Entries of a folder or file under `data`, found without the index."""
    return tuple(e for file in files(data, folder) for e in scan(file))


def files(data: Path, folder: str) -> list[Path]:
    """The TOML files of a folder, or the file itself; none if it is not there."""
    place = data / folder
    return sorted(place.glob("*.toml")) if place.is_dir() else [place] * place.exists()


@cache
def scan(path: Path, own: bool = False) -> tuple[Entry, ...]:
    """Entries of one file, in order. Raises BadRecord for a file from the future or a record without a name."""
    try:
        text = _bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_record(path, "", str(error)) from error
    starts = list(re.finditer(_START, text, re.MULTILINE))
    _not_from_the_future(path, text[: starts[0].start()] if starts else text)
    ends = [*(m.start() for m in starts[1:]), len(text)][: len(starts)]
    return tuple(_entry(m[1], text, m.start(), end, path, own) for m, end in zip(starts, ends, strict=True))


def _not_from_the_future(path: Path, head: str) -> None:
    said = re.search(_SCHEMA, head, re.MULTILINE)
    if said and int(said[1]) > SCHEMA:
        raise BadRecord(
            "{file}, line {line}: it is written in form {said}, and this version reads forms up to {known}.",
            file=path.name,
            line=head.count("\n", 0, said.start()) + 1,
            said=said[1],
            known=SCHEMA,
            mend="Upgrade gyakusan: pip install -U gyakusan",
        )


def _entry(kind: str, text: str, start: int, end: int, path: Path, own: bool) -> Entry:
    record, line = text[start:end], text.count("\n", 0, start) + 1
    name = re.search(_NAME, record, re.MULTILINE)
    if name is None:
        raise bad_record(path, record[:80].split("\n")[1], 'no line of the form name = "..."', line)
    said, sizes = re.search(_ALIASES, record, re.MULTILINE), re.search(_SIZES, record, re.MULTILINE)
    aliases = tuple(re.findall(r'"([^"]*)"', said[1])) if said else ()
    first = len(text[:start].encode())
    return Entry(
        kind,
        name[1],
        aliases,
        tuple(int(n) for n in re.findall(r"\d+", sizes[1])) if sizes else (),
        keys(kind, (name[1], *aliases)),
        path,
        line,
        first,
        first + len(record.encode()),
        own,
    )


@cache
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


INDEX = "index"
"""Folder of the index under data/."""


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a folder. text: its lines; places: the files; sums: their CRC-32."""

    text: str
    places: tuple[Path, ...]
    sums: tuple[int, ...]

    def fresh(self) -> bool:
        """True if no file has changed since."""
        return all(crc32(_bytes(f)) == said for f, said in zip(self.places, self.sums, strict=True))

    def every(self) -> Iterator[Entry]:
        """All entries."""
        return (self._entry(line) for line in self.text.splitlines() if line[0] == "R")

    def find(self, key: str) -> Iterator[Entry]:
        """Those that `key` finds."""
        at = self.text.find(f";{key};") if key else -1
        while at >= 0:
            start, end = self.text.rindex("\n", 0, at) + 1, self.text.index("\n", at)
            yield self._entry(self.text[start:end])
            at = self.text.find(f";{key};", end)

    def _entry(self, line: str) -> Entry:
        _, kind, file, row, start, end, sizes, names, found = line.split("\t")
        name, *aliases = names.split("|")
        known = tuple(map(int, sizes.split(","))) if sizes else ()
        keys_ = tuple(found[1:-1].split(";"))
        return Entry(kind, name, tuple(aliases), known, keys_, self.places[int(file)], int(row), int(start), int(end))


def index_of(data: Path, folder: str) -> str:
    """The index of a folder: a line for each file (name, size, CRC-32), a line for each record."""
    every = files(data, folder)
    head = [f"F\t{f.name}\t{len(_bytes(f))}\t{crc32(_bytes(f))}" for f in every]
    rows = [
        (e.kind, i, e.line, e.start, e.end, ",".join(map(str, e.sizes)), "|".join(e.names), f";{';'.join(e.keys)};")
        for i, f in enumerate(every)
        for e in scan(f)
    ]
    return "\n".join([*head, *("R\t" + "\t".join(map(str, row)) for row in rows)]) + "\n"


@cache
def _index(data: Path, folder: str) -> Index | None:
    """The index of a folder; None if there is none, or files were added, taken away or have another size."""
    try:
        text = (data / INDEX / f"{folder.removesuffix('.toml')}.tsv").read_text("utf-8")
        heads = [line.split("\t") for line in text[: text.find("\nR")].split("\n")]
        every = files(data, folder)
        if [(f.name, f.stat().st_size) for f in every] == [(name, int(size)) for _, name, size, _ in heads]:
            return Index(text, tuple(every), tuple(int(crc) for *_, crc in heads))
    except (OSError, ValueError):
        pass
    return None
