"""GGUF: the header of a model in one file or in parts, read without ever building the tokenizer.

    with files.open(path) as source:
        header = gguf.read(source)               one file
    header = gguf.read_parts(path, files.open)    one file, or all parts of which `path` is any

Source: ggml b11434, docs/gguf.md; parts: llama.cpp b11434, src/llama-model-loader.cpp and llama_split_path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from gyakusan.errors import BadReference, Malformed
from gyakusan.message import quoted
from gyakusan.models.formats.gguf_reader import Header, Reader, Skipped, Totals, Value
from gyakusan.models.sources import Source

PARTS = 1_000
"""Most parts of one model."""
_PART = re.compile(r"(?s)(.*)-(\d{5})-of-(\d{5})\.gguf")
_MEND = "Put all parts of the same model into one place, under their own names."


def read(source: Source, totals: Totals | None = None) -> Header:
    """Return the header of one file. Raises Truncated, Malformed, Unsupported, SourceError.

    totals: of all parts of the model, None for its only file
    """
    return Reader(source, totals).header()


def read_parts(where: str, opener: Callable[[str], Source]) -> Header:
    """Return the header of the model at `where`; of a model in parts, `where` may be any of them.

    opener: files.open or http.open. Metadata is that of the first part; tensors and size are of all.
    Raises what `read` and `opener` raise, and BadReference for a part that is missing.
    """
    totals = Totals()
    with opener(where) as source:
        header = read(source, totals)
        count = _number(header, "split.count")
        if count is None or count <= 1:
            return header
        return _merge([_part(source, header, totals, number, count) for number in range(1, count + 1)])


def _part(source: Source, header: Header, totals: Totals, number: int, count: int) -> Header:
    """Return part `number` (from 1) of the model to which `source`, with `header`, belongs."""
    match = _PART.fullmatch(source.file)
    if match is None or int(match[3]) != count or count > PARTS:
        mend = "Its name must end in -00001-of-{n:05d}.gguf, and the other parts lie beside it."
        raise Malformed(
            "{file} is one of {n} parts, but its name does not say so.", file=header.name, n=count, mend=mend
        )
    if int(match[2]) == number:
        return _checked(header, number, count)
    name = f"{match[1]}-{number:05d}-of-{count:05d}.gguf"
    try:
        other = source.beside(name)
    except BadReference as error:
        if "does not exist" not in error.message.template:
            raise  # it is there, and is no file
        raise BadReference(
            "Part {n} of {count} is missing: {name}.", n=number, count=count, name=name, mend=_MEND
        ) from None
    with other:
        return _checked(read(other, totals), number, count)


def _checked(header: Header, number: int, count: int) -> Header:
    said = _number(header, "split.no"), _number(header, "split.count")
    if said != (number - 1, count):
        template = "{file} is named part {n} of {count}, but says split.no {no} and split.count {said}."
        _bad(template, file=header.name, n=number, count=count, no=said[0], said=said[1])
    return header


def _merge(parts: list[Header]) -> Header:
    first = parts[0]
    tensors = tuple(t for part in parts for t in part.tensors)
    said = _number(first, "split.tensors.count")
    if said is not None and said != len(tensors):
        _bad("The parts of {file} hold {n} tensors, not {said}.", file=first.name, n=len(tensors), said=said)
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            _bad("Two parts of {file} hold the tensor {name}.", file=first.name, name=quoted(tensor.name, 80))
        names.add(tensor.name)
    sizes = [part.size for part in parts]
    return replace(
        first,
        tensors=tensors,
        offsets=tuple(o for part in parts for o in part.offsets),
        size=None if None in sizes else sum(size or 0 for size in sizes),
        parts=len(parts),
    )


def _number(header: Header, key: str) -> int | None:
    """Return a whole number >= 0, None if the key is absent. Raises Malformed."""
    value = header.metadata.get(key)
    if value is not None and (type(value) is not int or value < 0):
        _bad("{file}: {key} is {value}.", file=header.name, key=key, value=quoted(value, 80))
    return value if type(value) is int else None


def _bad(template: str, **facts: Any) -> NoReturn:
    raise Malformed(template, mend=_MEND, **facts)


__all__ = ["Header", "Skipped", "Value", "read", "read_parts"]
