"""What a person may type for a model, and how it is read.

smollm2                          the small model in the `serve` extra
name, name:tag, org/name         a record of the catalogue
./file.gguf, dir/                a file or a directory on disk
https://host/file.gguf           a file that stays where it is: only its header is fetched
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gyakusan.core.model import Model
from gyakusan.errors import BadReference, SourceError, UnknownName

EMBEDDED = "smollm2"


@dataclass(frozen=True, slots=True)
class Reference:
    """kind: where to look; target: path, address or catalogue name."""

    kind: Literal["file", "directory", "url", "catalog"]
    target: str


def resolve(text: str) -> Reference:
    """What `text` refers to. Raises BadReference; a bare name is looked up in the catalogue later."""
    if not text or len(text) > 4096 or "\0" in text:
        raise BadReference("The model reference is empty or too long.", mend="Give a file, an address or a name.")
    scheme, sep, _ = text.partition("://")
    if sep:
        if scheme.casefold() in ("http", "https"):
            return Reference("url", text)
        raise BadReference("{scheme}:// is not read.", scheme=scheme[:20], mend="Use https://, or a path.")
    path = Path(text).expanduser()
    if _is_dir(path):
        return Reference("directory", str(path))
    if os.path.lexists(path) or text.endswith((".gguf", ".safetensors")) or text.startswith((".", "/", "~")):
        return Reference("file", str(path))
    return Reference("catalog", text)


def load(text: str, quantization: str | None = None) -> Model:
    """The Model behind a reference; with `quantization`, as it would be if quantised so.

    Raises UnknownName, BadReference, BadModel, SourceError.
    """
    reference = resolve(text)
    if reference.kind == "catalog" and not _embedded(reference.target):
        return _catalog(reference.target, quantization)
    model = _read(reference)
    if quantization is None:
        return model
    from gyakusan.core import recipe

    return recipe.apply(quantization, model)


def _read(reference: Reference) -> Model:
    from gyakusan.models.assemble import from_directory, from_gguf

    match reference.kind:
        case "directory":
            return from_directory(reference.target)
        case "catalog":
            return from_gguf(str(_embedded(reference.target)), remote=False)
        case _:
            return from_gguf(reference.target, remote=reference.kind == "url")


def _embedded(name: str) -> Path | None:
    """The small model's file if it is asked for and installed."""
    if name.casefold() != EMBEDDED:
        return None
    from gyakusan.models.embedded import embedded

    try:
        return embedded()
    except SourceError:
        return None


def _catalog(name: str, quantization: str | None) -> Model:
    from gyakusan import catalog
    from gyakusan.models.assemble import from_record

    try:
        record = catalog.model(name)
    except UnknownName as error:
        raise UnknownName(
            "{first}",
            first=error.message,
            mend=error.mend or "Give a path, an address (https://...) or a name: see `gyakusan plan`.",
        ) from None
    return from_record(record, quantization)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
