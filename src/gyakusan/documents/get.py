"""The JSON of `gyakusan get`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.fetching.get import Got
from gyakusan.fetching.stock import Stock
from gyakusan.message import Message


class SkippedFileJson(Struct, frozen=True):
    """A file that belongs to the model and is left out.

    file: its path in the repository
    why: the reason
    """

    file: str
    why: Message


class GetJson(Struct, frozen=True, kw_only=True):
    """Files of a model: `gyakusan get`.

    schema: name and version of this form
    catalogue: date of the catalogue
    state: here (before anything was asked), fetched, or planned (--dry-run)
    model: its name
    quantization: its format, "" if it is not known
    reference: what one writes for these files
    program: who keeps them
    path: what a server is given: the first GGUF file or a folder; null if it is not there
    files: all files
    bytes: of all files, null if not known [B]
    missing_bytes: what would be fetched, 0 if all is here, null if not known [B]
    projector: file of the image part, null if there is none
    skipped: what belongs to the model and is left out
    checked: true if every fetched file has the checksum that the hub lists
    seconds: the fetching took [s]
    by_catalogue: true if the hub could not be asked (--dry-run): the size is as published, or as the plan counts the weights
    """

    state: Literal["here", "planned", "fetched"]
    model: str
    quantization: str
    reference: str
    program: str
    path: str | None
    files: tuple[str, ...]
    bytes: int | None
    missing_bytes: int | None
    projector: str | None
    skipped: tuple[SkippedFileJson, ...]
    checked: bool
    seconds: float
    by_catalogue: bool = False
    schema: Literal["gyakusan/get/1"] = "gyakusan/get/1"
    catalogue: str = field(default_factory=catalogue_date)


class KeptModelJson(Struct, frozen=True):
    """One model on this computer.

    name: what one writes for it
    program: who keeps it
    path: its first file, or its folder
    bytes: of its files [B]
    """

    name: str
    program: str
    path: str
    bytes: int


class GetListJson(Struct, frozen=True, kw_only=True):
    """All models on this computer: `gyakusan get --list`.

    schema: name and version of this form
    catalogue: date of the catalogue
    models: by program, then by name
    unfinished: files that were not fetched to their end
    """

    models: tuple[KeptModelJson, ...]
    unfinished: tuple[str, ...]
    schema: Literal["gyakusan/get-list/1"] = "gyakusan/get-list/1"
    catalogue: str = field(default_factory=catalogue_date)


def get(got: Got) -> GetJson:
    """Return the files of a model."""
    return GetJson(
        state=got.state,
        model=got.wanted.name,
        quantization=got.wanted.quantization,
        reference=got.wanted.reference,
        program=got.program,
        path=None if got.path is None else str(got.path),
        files=tuple(map(str, got.files)),
        bytes=got.bytes,
        missing_bytes=got.missing,
        projector=None if got.projector is None else str(got.projector),
        skipped=tuple(SkippedFileJson(s.file, s.why) for s in got.skipped),
        checked=got.checked,
        seconds=got.seconds,
        by_catalogue=got.by_catalogue,
    )


def get_list(found: Stock) -> GetListJson:
    """Return all models on this computer."""
    models = tuple(KeptModelJson(m.name, m.program, str(m.path), m.bytes) for m in found.models)
    return GetListJson(models=models, unfinished=tuple(map(str, found.unfinished)))
