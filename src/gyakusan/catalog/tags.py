"""Tags of Ollama's library. Facts: data/registry/*.toml; sizes are not written there, they follow.

A tag names a model of the catalogue, or a base: the Hugging Face config of a model that is no longer offered by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.records import entries
from gyakusan.core.machine import Basis
from gyakusan.errors import UnknownName
from gyakusan.message import quoted
from gyakusan.patterns import late

_QUANTIZATION = late(r"(?:^|-)(i?q\d\w*|fp16|f16|bf16|fp32|f32|mxfp4)$")
_WORDS = late(r"(?:-|^)(instruct|chat|text|it|base|code|v\d+(\.\d+)?|\d{4})(?=-|$)")


class Tag(Struct, frozen=True):
    """The file that NAME:TAG means.

    model: name of a model of the catalogue, or of a base
    quantization: as llama.cpp names it
    by: whose quantiser made it
    whole: kinds of tensors that were left at F16, by the converter of spring 2025 or by the model's maker
    untied: the file has an output matrix though the model has none
    vision: weights of the part for images and sound, in the same file or another [values]
    name: the tag itself, NAME:TAG; derived, never written
    """

    model: str
    quantization: str = "Q4_K_M"
    by: Literal["llama.cpp", "llama.cpp 2023", "ollama", "ollama 2025"] = "llama.cpp"
    whole: tuple[str, ...] = ()
    untied: bool = False
    vision: int = 0
    name: str = ""


class TagsRecord(Struct, frozen=True):
    """All tags of one name of the library.

    name: as in NAME:TAG
    latest: the tag that the bare name means
    source: where the tags were seen
    checked: when somebody looked there, ISO 8601
    tags: by the part after the colon
    """

    name: str
    latest: str
    source: str
    checked: str
    tags: Mapping[str, Tag] = msgspec.field(default_factory=dict)


class BaseRecord(Struct, frozen=True):
    """A model that only tags refer to.

    name: as tags have it
    basis: read (a published file), derived (from its class or a sibling) or assumed
    source: where the figures come from
    checked: when somebody looked there, ISO 8601
    config: what its config.json says, as far as it decides sizes
    """

    name: str
    basis: Basis
    source: str
    checked: str
    config: Mapping[str, Any] = msgspec.field(default_factory=dict)


def find(text: str) -> Tag | None:
    """Return the file that NAME or NAME:TAG means, None if no record has that name.

    A tag such as 8b-instruct-q8_0 is 8b at Q8_0. Raises UnknownName for a tag that a known name has not.
    """
    name, _, tag = text.strip().casefold()[:200].partition(":")
    entry = _entries("tags").get(name)
    if entry is None:
        return None
    record = _record(entry)
    tag = tag or "latest"
    matched = _tag(record, tag)
    if matched is None:
        raise UnknownName(
            "{name} has no tag {tag}.",
            name=name,
            tag=quoted(tag),
            known=", ".join(record.tags),
            mend="It has the tags {known}.",
        )
    return structs.replace(matched, name=f"{name}:{tag}")


def names() -> tuple[str, ...]:
    """Return every NAME:TAG that is written down."""
    return tuple(f"{record.name}:{tag}" for record in _records() for tag in record.tags)


def of_model(model: str) -> tuple[str, ...]:
    """Return every NAME:TAG that is a file of the model of that name."""
    return tuple(
        f"{record.name}:{tag}" for record in _records() for tag, file in record.tags.items() if file.model == model
    )


def base(name: str) -> BaseRecord | None:
    """Return the base of that name, None if there is none."""
    entry = _entries("base").get(name)
    return BaseRecord(**entry.fields()) if entry else None


def _tag(record: TagsRecord, tag: str) -> Tag | None:
    """Return the tag itself, or the one that it is another quantisation of."""
    tag = record.latest if tag == "latest" else tag
    if tag in record.tags:
        return record.tags[tag]
    plain = _WORDS.sub("", tag).strip("-")
    if plain in record.tags:
        return record.tags[plain]
    quantization = _QUANTIZATION.search(tag)
    if quantization is None:
        return None
    rest = tag[: quantization.start()]
    other = record.tags.get(rest) or record.tags.get(_WORDS.sub("", rest).strip("-") or record.latest)
    return other and structs.replace(other, quantization=_canonical(quantization[1]), whole=())


def _canonical(quantization: str) -> str:
    return {"FP16": "F16", "FP32": "F32", "MXFP4": "MXFP4_MOE"}.get(quantization.upper(), quantization.upper())


def _tag_of(row: Mapping[str, Any]) -> Tag:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Tag(**fields)


@cache
def _entries(kind: str) -> Mapping[str, Entry]:
    return {e.name: e for e in entries(kind)}


def _records() -> Iterator[TagsRecord]:
    return (_record(e) for e in _entries("tags").values())


@cache
def _record(entry: Entry) -> TagsRecord:
    fields = entry.fields()
    try:
        tags = {name: _tag_of(tag) for name, tag in fields.pop("tags", {}).items()}
        return TagsRecord(**fields, tags=tags)
    except (TypeError, AttributeError) as error:
        raise broken(entry, str(error)) from error
