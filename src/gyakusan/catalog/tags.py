"""Ollama's library: what each tag is made of. Facts: data/registry/*.toml; sizes are not written there, they follow.

A tag names a model of the catalogue, or a base: the Hugging Face config of a model that is no longer offered by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.records import entries
from gyakusan.core.machine import Basis
from gyakusan.errors import UnknownName

_QUANTIZATION = re.compile(r"(?:^|-)(i?q\d\w*|fp16|f16|bf16|fp32|f32|mxfp4)$")
_WORDS = re.compile(r"(?:-|^)(instruct|chat|text|it|base|code|v\d+(\.\d+)?|\d{4})(?=-|$)")


@dataclass(frozen=True, slots=True)
class Tag:
    """What lies behind NAME:TAG. model: in the catalogue, or a base.

    by: whose quantiser made it; whole: kinds of tensors that were left at F16 (the converter of spring 2025);
    untied: the file holds an output matrix though the model has none; vision: weights of the part for images and sound,
    in the same file or beside it [values].
    """

    model: str
    quantization: str = "Q4_K_M"
    by: Literal["llama.cpp", "llama.cpp 2023", "ollama", "ollama 2025"] = "llama.cpp"
    whole: tuple[str, ...] = ()
    untied: bool = False
    vision: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class TagsRecord:
    """All tags of one name. latest: the tag that the bare name means; checked: ISO 8601."""

    name: str
    latest: str
    source: str
    checked: str
    tags: Mapping[str, Tag] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BaseRecord:
    """A model that only tags refer to. config: as its config.json says, only what counts."""

    name: str
    basis: Basis
    source: str
    checked: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


def find(text: str) -> Tag | None:
    """What NAME or NAME:TAG is made of, None if Ollama's library has no such name as far as we know.

    A tag such as 8b-instruct-q8_0 is 8b at Q8_0. Raises UnknownName for a tag that a known name has not.
    """
    name, _, tag = text.strip().casefold()[:200].partition(":")
    entry = _index("tags").get(name)
    if entry is None:
        return None
    record = _record(entry)
    tag = tag or "latest"
    found = _tag(record, tag)
    if found is None:
        raise UnknownName(
            "{name} has no tag {tag}.", name=name, tag=repr(tag), known=", ".join(record.tags), mend="It has: {known}."
        )
    return replace(found, name=f"{name}:{tag}")


def names() -> tuple[str, ...]:
    """Every NAME:TAG that is written down."""
    return tuple(f"{e.name}:{tag}" for e in _index("tags").values() for tag in _record(e).tags)


def of_model(model: str) -> tuple[str, ...]:
    """Every NAME:TAG that is the model of that name."""
    every = ((e.name, tag, made) for e in _index("tags").values() for tag, made in _record(e).tags.items())
    return tuple(f"{name}:{tag}" for name, tag, made in every if made.model == model)


def base(name: str) -> BaseRecord | None:
    """The base of that name, None if there is none."""
    entry = _index("base").get(name)
    if entry is None:
        return None
    fields: dict[str, Any] = dict(entry.table())
    return BaseRecord(**fields)


def _tag(record: TagsRecord, tag: str) -> Tag | None:
    """The tag itself, or the one that it is another quantisation of."""
    tag = record.latest if tag == "latest" else tag
    if tag in record.tags:
        return record.tags[tag]
    plain = _WORDS.sub("", tag).strip("-")
    if plain in record.tags:
        return record.tags[plain]
    said = _QUANTIZATION.search(tag)
    if said is None:
        return None
    rest = tag[: said.start()]
    found = record.tags.get(rest) or record.tags.get(_WORDS.sub("", rest).strip("-") or record.latest)
    return found and replace(found, quantization=_named(said[1]), whole=())


def _named(quantization: str) -> str:
    return {"FP16": "F16", "FP32": "F32", "MXFP4": "MXFP4_MOE"}.get(quantization.upper(), quantization.upper())


def _made(row: Mapping[str, Any]) -> Tag:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Tag(**fields)


@cache
def _index(kind: str) -> Mapping[str, Entry]:
    return {e.name: e for e in entries(kind)}


@cache
def _record(entry: Entry) -> TagsRecord:
    fields: dict[str, Any] = dict(entry.table())
    try:
        tags = {name: _made(tag) for name, tag in fields.pop("tags", {}).items()}
        return TagsRecord(**fields, tags=tags)
    except (TypeError, AttributeError) as error:
        raise broken(entry, str(error)) from error
