"""The fields of a record, which is a msgspec Struct or a dataclass."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


def field_names(record: object) -> tuple[str, ...]:
    """Return the names of the fields, in their order, () where it has none.

    record: a record or its class
    """
    names: tuple[str, ...] | None = getattr(record, "__struct_fields__", None)
    if names is not None:
        return names
    return tuple(f.name for f in fields(record)) if is_dataclass(record) else ()


def shallow(record: object) -> dict[str, Any]:
    """Return {name of a field: its value}; records within stay records."""
    return {name: getattr(record, name) for name in field_names(record)}
