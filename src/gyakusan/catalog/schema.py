"""Form of the catalogue's TOML files, made of the record types: strict types for the checks, JSON Schemas for editors.

python -m gyakusan.catalog.schema writes the JSON Schemas that the first line of each TOML file names.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Struct, structs

from gyakusan.catalog import devices, models, origins, prices, rates, tags
from gyakusan.catalog.entry import SCHEMA
from gyakusan.core.records import field_names

FOLDER = Path(__file__).parent / "schemas"
RECORDS: Mapping[str, type] = {
    "device": devices.DeviceRecord,
    "machine": devices.MachineRecord,
    "model": models.ModelRecord,
    "embedding": models.ModelRecord,
    "tags": tags.TagsRecord,
    "base": tags.BaseRecord,
    "price": prices.PriceRecord,
    "rate": rates.RateRecord,
    "source": origins.SourceRecord,
}
"""Kind of record -> the dataclass that it becomes."""
FILES: Mapping[str, tuple[str, ...]] = {
    "devices": ("device",),
    "machines": ("machine",),
    "models": ("model",),
    "embeddings": ("embedding",),
    "registry": ("tags", "base"),
    "prices": ("price",),
    "rates": ("rate",),
    "sources": ("source",),
    "own": tuple(RECORDS),
}
"""Kind of TOML file -> the kinds of records in it. own: a user's file."""
Type: TypeAlias = Any
"""A type, or what typing makes of several. It is known at run time only."""
_ANNOTATED: Type = Annotated
_LIST: Type = list


_MISSING = (dataclasses.MISSING, msgspec.NODEFAULT)


def _fields(record: type) -> Iterable[Any]:
    """Return the fields with their defaults of a Struct or a dataclass."""
    return structs.fields(record) if issubclass(record, Struct) else dataclasses.fields(record)  # type: ignore[arg-type]


@cache
def strict(record: type) -> Type:
    """Return a msgspec type like a record, which refuses unknown fields and describes the known ones."""
    hints, described = typing.get_type_hints(record), descriptions(record)
    fields: list[Any] = []
    for field in _fields(record):
        kind = _described(_strict_within(hints[field.name]), described.get(field.name, ""))
        if field.default_factory not in _MISSING:
            fields.append((field.name, kind, msgspec.field(default_factory=field.default_factory)))
        elif not any(field.default is none for none in _MISSING):
            fields.append((field.name, kind, field.default))
        else:
            fields.append((field.name, kind))
    return msgspec.defstruct(
        record.__name__, fields, forbid_unknown_fields=True, kw_only=True, namespace={"__doc__": _summary(record)}
    )


def _strict_within(kind: Type) -> Type:
    """Return a type with every record in it made strict."""
    if isinstance(kind, type) and field_names(kind):
        return strict(kind)
    origin: Type = typing.get_origin(kind)
    parts = typing.get_args(kind)
    strict_parts = tuple(_strict_within(part) for part in parts)
    return kind if strict_parts == parts else origin[strict_parts]


def _described(kind: Type, text: str) -> Type:
    return _ANNOTATED[kind, msgspec.Meta(description=text)]


def descriptions(record: type) -> dict[str, str]:
    """Return what the docstring of a dataclass says of each field, on lines of the form "field: text"."""
    lines = re.finditer(r"^ *(\w+): (.+)$", record.__doc__ or "", re.MULTILINE)
    return {line[1]: line[2] for line in lines}


def schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of TOML file, one of FILES."""
    fields: list[Any] = [("schema", Annotated[int, msgspec.Meta(ge=1, le=SCHEMA, description="form of this file")], 1)]
    for kind in FILES[file]:
        records = _described(_LIST[strict(RECORDS[kind])], _summary(RECORDS[kind]))
        fields.append((kind, records, msgspec.field(default_factory=list)))
    title = f"Records of the catalogue: {file}"
    shape = msgspec.defstruct(file.title(), fields, forbid_unknown_fields=True, namespace={"__doc__": title})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(shape)}


def documents() -> Iterator[tuple[Path, str]]:
    """Yield path and text of every JSON Schema."""
    for file in FILES:
        text = msgspec.json.format(msgspec.json.encode(schema(file), order="deterministic"), indent=1).decode()
        yield FOLDER / f"{file}.json", text + "\n"


def _summary(record: type) -> str:
    return (record.__doc__ or "").split("\n")[0]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in documents():
        path.write_text(text, "utf-8")
        print(path)
