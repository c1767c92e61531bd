"""Which model of the catalogue somebody's file is: by its source, by the names that it bears, else by its shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gyakusan.catalog import models, speed_names, tags
from gyakusan.catalog.repositories import find_published, nearest_repositories
from gyakusan.core.memo import Memo
from gyakusan.core.model import Model
from gyakusan.errors import UnknownName
from gyakusan.message import quoted, say
from gyakusan.models import load, resolve
from gyakusan.patterns import late

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

OLLAMA = "ollama:"
NEAR = 0.005
"""Numbers of weights that differ by less are the same: a file may lack prediction blocks or a tied matrix. [ratio]"""
_ENDING = late(
    r"(?:[-_.](?:gguf|mlx|ud|i1|imat|\d{5}-of-\d{5}|i?q\d\w*|tq\d\w*|[bf]?p?(?:16|32)|fp8|awq|gptq|nvfp4|mxfp4\w*|int[48]|\d+bit))+$",
    re.IGNORECASE,
)


class Lineage(Struct, frozen=True):
    """A model of the catalogue, as which a file was recognised.

    name: of the catalogue
    by: what told it: the source itself, a name that the file bears, or only its shape
    """

    name: str
    by: Literal["source", "name", "shape"]


_FOUND = Memo[Lineage | None](maxsize=1)


def lineage(model: Model) -> Lineage | None:
    """Return the model of the catalogue that `model` is, None for one that is not there."""
    if model.catalogue_name:
        return Lineage(model.catalogue_name, "source")
    return _FOUND.get(model, None, lambda: _lineage(model))


def lineage_name(model: Model) -> str:
    """Return the catalogue's name of the model, "" for one that is not there."""
    found = lineage(model)
    return "" if found is None else found.name


def catalogue_name(text: str) -> str:
    """Return the catalogue's name of what a person typed for a model: a name, a tag, a repository, a file, a directory.

    Raises UnknownName for one that is not there, and what models.load raises.
    """
    try:
        return models.find(text).name
    except UnknownName as error:
        unknown = error
    reference = resolve(text)
    if reference.kind in ("catalog", "repository"):
        published = find_published(reference.target) if "/" in reference.target else None
        name = published.model if published else _tag_model(reference.target)
        if name or reference.kind == "catalog":
            return models.find(name).name if name else _not_there(text, unknown)
    found = lineage(load(text))
    if found is None:
        raise UnknownName(
            "{name} is no model of the catalogue, so that its plans cannot be ranked.", name=text[:200],
            mend="Type: gyakusan inspect {name}",
        )  # fmt: skip
    return found.name


def _not_there(text: str, unknown: UnknownName) -> str:
    """Raise UnknownName: with the nearest repositories for a repository."""
    near = ", ".join(nearest_repositories(text)) if "/" in text else ""
    if not near:
        raise unknown
    raise UnknownName(
        "No {kind} is called {name}.", kind=say("model"), name=quoted(text, 80), near=near, mend="Did you mean {near}?"
    )


def _lineage(model: Model) -> Lineage | None:
    for name in dict.fromkeys(_names(model)):
        record = _record(name)
        if record is not None and _alike(model, record):
            return Lineage(record.name, "name")
    same = sorted((r for r in _of_shape(_shape(model)) if _near(model, r)), key=lambda r: _plainness(model, r))
    return Lineage(same[0].name, "shape") if same else None


def _names(model: Model) -> Iterator[str]:
    """Yield the names that a file bears, the surest first."""
    if model.source.startswith(OLLAMA):
        yield _tag_model(model.source.removeprefix(OLLAMA))
    facts = model.metadata
    parts = [str(facts.get(f"general.{k}", "")) for k in ("basename", "size_label")]
    stem = model.source.rsplit("/", 1)[-1]
    known = (model.name, stem, "-".join(p for p in parts if p), str(facts.get("general.name", "")))
    for text in (*known, *(str(facts.get(f"general.base_model.0.{k}", "")) for k in ("repo_url", "name"))):
        bare = text.removeprefix("https://huggingface.co/").partition(":")[0].removesuffix(".gguf")
        yield from (text, bare, _ENDING.sub("", bare))


def _tag_model(tag: str) -> str:
    try:
        found = tags.find(tag)
    except UnknownName:
        return ""
    return found.model if found else ""


def _record(name: str) -> ModelRecord | None:
    known = speed_names.model_name(name) if name else None
    try:
        return models.find(known or name) if known or name else None
    except UnknownName:
        return None


def _shape(model: Model) -> tuple[str, int, int]:
    return model.architecture, model.blocks, model.embedding


def _alike(model: Model, record: ModelRecord) -> bool:
    """Return True if a record that a name means has the shape of the file."""
    return _shape(model) == _record_shape(record) and _near(model, record)


def _near(model: Model, record: ModelRecord) -> bool:
    return abs(model.parameters - record.parameters) <= NEAR * record.parameters


def _plainness(model: Model, record: ModelRecord) -> tuple[bool, bool, int, bool]:
    """Return what sorts records of one shape: the file's own context first, then a plain model before a special one."""
    roles = ("chat", "code", "finetune", "base")
    role = roles.index(record.role) if record.role in roles else len(roles)
    return model.trained_context != record.trained_context, bool(record.derived_from), role, not record.listed


def _record_shape(record: ModelRecord) -> tuple[str, int, int]:
    arch, facts = record.architecture, record.metadata
    return arch, int(facts.get(f"{arch}.block_count", 0)), int(facts.get(f"{arch}.embedding_length", 0))


def _of_shape(shape: tuple[str, int, int]) -> tuple[ModelRecord, ...]:
    return _shapes().get(shape, ())


@cache
def _shapes() -> dict[tuple[str, int, int], tuple[ModelRecord, ...]]:
    found: dict[tuple[str, int, int], list[ModelRecord]] = {}
    for record in models.model_records():
        found.setdefault(_record_shape(record), []).append(record)
    return {shape: tuple(records) for shape, records in found.items()}
