"""What data/columns.json says of each model, read as far as it is asked for: a plan has no use for most of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, structs

_LAZY = "model"


class Outline(Struct, frozen=True):
    """What is asked of every model, whatever the question.

    architecture: as in GGUF
    blocks: transformer blocks [blocks]
    trained_context: longest context it was trained for, 0 = not known [tokens]
    """

    architecture: str
    blocks: int
    trained_context: int


class _Head(Struct):
    """The short facts of a model; see model_variants.measure. Of the long ones `model` stays as written."""

    name: str
    license: str
    parameters: Any
    active: Any
    native: Any
    quantization: str
    role: str
    released: str
    tied: bool
    speed_name: str
    traffic: Any
    crc: Any
    model: Raw


class _File(Struct):
    scores: dict[str, Sequence[Any]]
    models: dict[str, Raw]


_FILE, _HEAD = msgspec.json.Decoder(_File), msgspec.json.Decoder(_Head)
_OUTLINE = msgspec.json.Decoder(Outline)


class StoredFacts(Mapping[str, Any]):
    """The facts of one model, as `model_variants.measure` says them; each part is read when it is first asked for.

    outline: what is asked of every model
    """

    __slots__ = ("_raw", "_read", "outline")

    def __init__(self, raw: Raw) -> None:
        head = _HEAD.decode(raw)
        self._raw, self._read = raw, structs.asdict(head)
        self.outline: Outline = _OUTLINE.decode(head.model)

    def __getitem__(self, key: str) -> Any:
        if key in self._read:
            value = self._read[key]
            if key == _LAZY and isinstance(value, Raw):
                value = self._read[key] = msgspec.json.decode(value)
            return value
        value = _part(key).decode(self._raw).value
        if value is UNSET:
            raise KeyError(key)
        self._read[key] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(msgspec.json.decode(self._raw, type=dict[str, Raw]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=32)
def _part(key: str) -> msgspec.json.Decoder[Any]:
    """Return what reads one part of a model's facts and passes by the others."""
    return msgspec.json.Decoder(msgspec.defstruct("Part", [("value", Any, UNSET)], rename={"value": key}))


def read(content: bytes) -> tuple[Mapping[str, StoredFacts], Mapping[str, Sequence[Any]]]:
    """Return the facts of each model of columns.json, and the rows of scores of each. Raises msgspec.DecodeError."""
    file = _FILE.decode(content)
    return {name: StoredFacts(raw) for name, raw in file.models.items()}, file.scores
