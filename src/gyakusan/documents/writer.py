"""Writes documents: the only place here that knows the reader's language."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct

from gyakusan.core.records import shallow
from gyakusan.doors.text import block
from gyakusan.message import Message
from gyakusan.text import Language, tell

HEAD = ("schema", "catalogue")
"""Keys that stand before all others."""


def written(document: object, language: Language, *, indent: int | None = 2, ascii_only: bool = False) -> str:
    """Return a document, or a sequence of documents, as JSON.

    indent: None for one line
    ascii_only: with escapes for every other character, for a stream that is not UTF-8
    """
    return json.dumps(plain(document, language), ensure_ascii=ascii_only, indent=indent)


def plain(value: Any, language: Language) -> Any:
    """Return a value as JSON has it: sentences in the reader's language, fields that are unset left out."""
    if isinstance(value, str):
        return block(value)
    if isinstance(value, Message):
        return tell(value, language)
    if isinstance(value, Struct):
        names = sorted(value.__struct_fields__, key=lambda name: name not in HEAD)
        return {n: plain(v, language) for n in names if (v := getattr(value, n)) is not UNSET}
    if dataclasses.is_dataclass(value):
        return {name: plain(part, language) for name, part in shallow(value).items()}
    if isinstance(value, Mapping):
        return {plain(key, language): plain(v, language) for key, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v, language) for v in value]
    return value.item() if hasattr(value, "item") else value
