"""JSON of a model: doors/parse in the words for a file that was downloaded."""

from __future__ import annotations

from typing import Any

from gyakusan.doors.parse import BRACKETS, json_value
from gyakusan.errors import Malformed
from gyakusan.message import Message

_MEND = "The file is damaged or of another kind than its name says: download it again."


def loads(raw: bytes, name: str, brackets: int = BRACKETS) -> Any:
    """Return the value in `raw`, which comes from the file `name`. brackets: most objects and arrays. Raises Malformed."""
    return json_value(raw, lambda why: bad(name, why), brackets)


def bad(name: str, why: Message) -> Malformed:
    """Return the error for the file `name`. why: half a sentence."""
    return Malformed("{file} cannot be read as JSON: {why}.", file=name, why=why, mend=_MEND)
