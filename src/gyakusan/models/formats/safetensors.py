"""Read safetensors: names, shapes and types of tensors, from the header of one file or of all shards in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import msgspec

from gyakusan.core.dtypes import DTYPES
from gyakusan.core.model import Tensor
from gyakusan.doors import files
from gyakusan.doors.parse import misfit
from gyakusan.errors import BadReference, Malformed, Truncated, Unsupported
from gyakusan.message import Quoted, quoted
from gyakusan.models.formats import json_text
from gyakusan.models.formats.magic import ENOUGH, likeness
from gyakusan.models.sources import Source

LONGEST = 100_000_000
"""Longest header. [B] The limit of the safetensors library."""
INDEX = "model.safetensors.index.json"
INDEX_BYTES = 64 * 1024 * 1024
SHARDS = 2_000
BRACKETS = 1_000_000
"""Most objects and arrays in a header: three for each tensor."""
ALL_BYTES, ALL_TENSORS = 128 * 1024 * 1024, 400_000
"""Longest headers and most tensors of all shards together; the largest real model has 150,000 tensors. [B]"""
_MEND = "The file is damaged: download it again."


@dataclass(frozen=True, slots=True)
class Header:
    """The tensors of a file, or of a folder of shards.

    name: of the file or the folder
    tensors: in order of their bytes; shapes with the contiguous dimension first, the reverse of the file
    metadata: of the first file
    data_at: where data begins in the first file [B]
    size: of all files [B]
    files: their names
    """

    name: str
    metadata: Mapping[str, str]
    tensors: tuple[Tensor, ...] = field(repr=False)
    data_at: int
    size: int
    files: tuple[str, ...]


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


class Totals:
    """What the headers of all shards of a model together may still take.

    bytes: of JSON text [B]
    tensors: entries
    """

    __slots__ = ("bytes", "tensors")

    def __init__(self) -> None:
        self.bytes, self.tensors = ALL_BYTES, ALL_TENSORS

    def take(self, name: str, size: int, tensors: int) -> None:
        """Count a header of a file. Raises Malformed."""
        self.bytes -= size
        self.tensors -= tensors
        if self.bytes < 0 or self.tensors < 0:
            _bad("The shards of {file} have more than {limit} tensors in their headers.", name, limit=ALL_TENSORS)


def read(source: Source, totals: Totals | None = None) -> Header:
    """Return the header of one file. Raises Truncated, Malformed, Unsupported, SourceError.

    totals: of all shards of the model, None for its only file
    """
    totals = totals or Totals()
    raw, size = _raw(source, totals)
    entries, metadata = _parsed(source.name, raw)
    totals.take(source.name, 0, len(entries))
    data_at = 8 + len(raw)
    tensors = _checked(source.name, entries, size - data_at)
    return Header(source.name, MappingProxyType(metadata), tensors, data_at, size, (source.file,))


def read_folder(folder: str | Path) -> Header:
    """Return all tensors of the model in `folder`, in shards with or without an index. Raises as `read`, and BadReference."""
    folder = Path(folder)
    where = _shards(folder)
    tensors: dict[str, Tensor] = {}
    heads = []
    totals = Totals()
    for file, promised in where.items():
        head = _shard(folder / file, totals)
        for tensor in head.tensors:
            if tensor.name in tensors:
                _bad("Two files of {file} have the tensor {name}.", files.shown(folder), name=_short(tensor.name))
            tensors[tensor.name] = tensor
        heads.append(head)
        missing = next((name for name in promised if name not in tensors), None)
        if missing is not None:
            _bad("{file} lacks the tensor {name} of its index.", head.name, name=_short(missing))
    first = heads[0]
    sizes = sum(head.size for head in heads)
    return Header(files.shown(folder), first.metadata, tuple(tensors.values()), first.data_at, sizes, tuple(where))


def _shard(path: Path, totals: Totals) -> Header:
    try:
        with files.open(path) as source:
            return read(source, totals)
    except BadReference:
        if os.path.lexists(path):
            raise
        raise BadReference(
            "The shard {name} is missing.",
            name=files.shown(path),
            mend="Download the whole model again, with all its files.",
        ) from None


def _shards(folder: Path) -> dict[str, list[str]]:
    """Return the files of a model, and the tensors that an index promises in each."""
    if (folder / INDEX).is_file():
        return _indexed(folder / INDEX)
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    names = (
        [n for n in names if n.startswith("model")] or [n for n in names if not n.startswith("consolidated")] or names
    )
    if not names:
        raise BadReference(
            "{folder} has no safetensors file.", folder=files.shown(folder),
            mend="Download the model's safetensors files into it, or give the path of a GGUF file.",
        )  # fmt: skip
    if len(names) > SHARDS:
        _bad("{file} has more than {limit} shards.", files.shown(folder), limit=SHARDS)
    return {name: [] for name in names}


def _indexed(path: Path) -> dict[str, list[str]]:
    with files.open(path) as source:
        if (source.size or 0) > INDEX_BYTES:
            _bad("{file} is larger than {limit} MiB.", source.name, limit=INDEX_BYTES >> 20)
        raw = json_text.loads(source.read(0, source.size or 0), source.name, BRACKETS)
        index: _Index = _typed(source.name, raw, _Index)
    found: dict[str, list[str]] = {}
    for name, file in index.weight_map.items():
        if "/" in file or "\\" in file or not file.endswith(".safetensors") or not file.isprintable():
            _bad("{file} names {name}, which is not a shard in its folder.", files.shown(path), name=_short(file))
        found.setdefault(file, []).append(name)
    if not 0 < len(found) <= SHARDS:
        _bad("{file} names {n} shards.", files.shown(path), n=len(found))
    return dict(sorted(found.items()))


def _raw(source: Source, totals: Totals) -> tuple[bytes, int]:
    """Return (the JSON text, size of the file [B])."""
    size = source.size
    if size is None:
        _bad("The size of {file} is unknown.", source.name)
    head = source.read(0, min(size, ENOUGH))
    if len(head) < 8:
        raise Truncated("{file} ends after {n} bytes.", file=source.name, n=len(head), mend="Download it again.")
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{":
        what, mend = likeness(head)
        raise Unsupported(
            "{file} is not a safetensors file; it looks like {what}.", file=source.name, what=what, mend=mend
        )
    if length > LONGEST:
        _bad("The header of {file} claims {n} bytes; the limit is {limit}.", source.name, n=length, limit=LONGEST)
    if length > size - 8:
        raise Truncated(
            "The header of {file} claims {n} bytes, but only {rest} follow.",
            file=source.name, n=length, rest=size - 8, mend="The file is incomplete: download it again.",
        )  # fmt: skip
    totals.take(source.name, length, 0)
    return source.read(8, length), size


def _parsed(name: str, raw: bytes) -> tuple[dict[str, _Entry], dict[str, str]]:
    found = json_text.loads(raw, name, BRACKETS)
    metadata = found.pop("__metadata__", {})
    return _typed(name, found, dict[str, _Entry]), _typed(name, metadata, dict[str, str])


def _typed(name: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise json_text.bad(name, misfit(str(error))) from None


def _checked(name: str, entries: Mapping[str, _Entry], room: int) -> tuple[Tensor, ...]:
    """Return the tensors in order of their bytes, which must fill the file without a hole. room: of the file [B]."""
    tensors = []
    end = 0
    for key, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        tensor = _tensor(name, key, entry)
        start, stop = entry.data_offsets
        if start != end or stop - start != tensor.bytes:
            _bad(
                "{file}: tensor {name} lies at bytes {start} to {stop}, but {n} bytes from {end} are expected.",
                name, name=_short(key), start=start, stop=stop, n=tensor.bytes, end=end,
            )  # fmt: skip
        end = stop
        tensors.append(tensor)
    if end > room:
        raise Truncated(
            "{file} is {short} bytes too short for its tensors.", file=name, short=end - room,
            mend="The file is incomplete: download it again, or finish the download.",
        )  # fmt: skip
    if end < room:
        _bad("{file} has {n} bytes that belong to no tensor.", name, n=room - end)
    return tuple(tensors)


def _tensor(name: str, key: str, entry: _Entry) -> Tensor:
    kind = DTYPES.get(entry.dtype)
    if kind is None or kind.quantized:  # the unquantised types have the same names here as in GGUF
        raise Unsupported(
            "{file}: the element type {type} of tensor {name} is unknown.",
            file=name, name=_short(key), type=_short(entry.dtype),
            mend="If the model is newer than gyakusan, update gyakusan; otherwise download the file again.",
        )  # fmt: skip
    if any(n < 0 for n in entry.shape) or len(entry.shape) > 16 or prod(entry.shape) >= 2**63:
        _bad(
            "{file}: the shape {shape} of tensor {name} is out of range.",
            name,
            name=_short(key),
            shape=_short(entry.shape),
        )
    return Tensor(key, tuple(reversed(entry.shape)), entry.dtype)


def _bad(template: str, file: str, /, **facts: Any) -> NoReturn:
    raise Malformed(template, file=file, mend=_MEND, **facts)


def _short(value: object) -> Quoted | str:
    """Return a name or value from the file on one line, quoted."""
    if isinstance(value, str):
        return quoted(value if len(value) <= 78 else value[:75] + "...")
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
