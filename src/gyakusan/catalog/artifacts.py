"""Which files are really published for a model: repositories, tags, sizes. Facts: data/artifacts.jsonl.

Written by tools/artifact_table.py. Its first line names the sources; then one line for each model, of which only the one that
is asked for is read. A model's repositories stand best first: tuned before unclear, the plain model before special
conversions, seen in a listing before named in a text, then by publisher.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

import msgspec
from msgspec import Struct

from gyakusan.catalog.places import DATA
from gyakusan.doors.files import packaged
from gyakusan.patterns import late

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

FILE = DATA / "artifacts.jsonl"
Format = Literal[
    "gguf", "awq", "gptq", "int4", "int8", "fp8", "nvfp4", "mxfp4", "bf16", "mlx", "ollama", "projector", "draft"
]
Tuned = Literal["instruct", "thinking", "coder", "base", "unclear", ""]
Confidence = Literal["listing", "used-in-text", "catalogue"]
"""Where a file was seen: in a listing, in a text, or only as a name of the catalogue's own record."""
_MLX_TAG = late(r"-(\d+bit|bf16|mxfp4(?:-q\d)?|nvfp4)$", re.IGNORECASE)
BESIDE = ("projector", "draft")
"""Formats of files that are loaded beside a model."""


class Artifact(Struct, frozen=True):
    """One published form of a model: a file, its parts, or a repository.

    model: name in the catalogue
    repository: "owner/name" of the hub; of Ollama the tag, e.g. "gemma3:4b"
    format: kind of the files
    tuned: instruct, thinking, coder, base, unclear or "" (Ollama's tags)
    quantization: the tag that people use: UD-Q4_K_XL, AWQ, FP8, 4bit; "" = a GGUF repository whose files nobody listed
    files: that hold the weights, as far as they were seen
    bytes: of all files, None = not known [B]
    rounded: True if the bytes are rounded, to about 0.05 GiB
    projector: file that llama.cpp would load for images, "" = none was seen
    projector_bytes: its size, None = not known [B]
    mtp: True if the repository holds prediction layers (MTP), in the file or beside it
    rank: of the publisher: 1 vendor, ggml-org, unsloth, mlx-community ... 4 others
    source: where it was seen
    date: when, ISO 8601, as exact as it is known
    confidence: how well it is known that it exists
    """

    model: str
    repository: str
    format: Format
    tuned: Tuned
    quantization: str
    files: tuple[str, ...]
    bytes: int | None
    rounded: bool
    projector: str
    projector_bytes: int | None
    mtp: bool
    rank: int
    source: str
    date: str
    confidence: Confidence

    @property
    def reference(self) -> str:
        """What one writes after -hf, e.g. "ggml-org/gpt-oss-20b-GGUF:MXFP4"; other formats: the repository."""
        return f"{self.repository}:{self.quantization}" if self.format == "gguf" else self.repository


def artifacts(model: str) -> tuple[Artifact, ...]:
    """Return what is published of a model of the catalogue, best first; without projectors and drafts."""
    return tuple(a for a in _all(model) if a.format not in BESIDE)


def published(record: ModelRecord) -> tuple[Artifact, ...]:
    """Return what is published of a model, best first: of the table, then repositories that the record names itself.

    A repository of the record is its 16-bit original, unless the table says that its weights are in another format.
    """
    known = artifacts(record.name)
    seen = {a.repository.casefold() for a in known}
    original = next((n for n in record.aliases if "/" in n), "")
    whole = original and original.casefold() not in seen and original not in record.gguf
    own = [_own(record, original, "bf16", "BF16")] if whole else []
    if record.role == "embedding" or record.weights.startswith("hf:"):  # the table has ours that answer only
        own += [_own(record, name, "gguf", record.quantization) for name in record.gguf]
    for name in record.mlx:
        tag = _MLX_TAG.search(name)
        if tag and name.casefold() not in seen:
            own.append(_own(record, name, "mlx", tag[1].lower()))
    return (*known, *own)


def _own(record: ModelRecord, repository: str, kind: Format, tag: str) -> Artifact:
    """Return a repository that the record names."""
    return Artifact(
        model=record.name,
        repository=repository,
        format=kind,
        tuned="base" if record.role == "base" else "",
        quantization=tag,
        files=(),
        bytes=None,
        rounded=False,
        projector="",
        projector_bytes=None,
        mtp=False,
        rank=4,
        source=record.source,
        date=record.checked,
        confidence="catalogue",
    )


def beside(model: str) -> tuple[Artifact, ...]:
    """Return the projectors and draft models that are published for a model."""
    return tuple(a for a in _all(model) if a.format in BESIDE)


def repository_files(model: str, repository: str) -> tuple[str, ...]:
    """Return every GGUF file that was seen in a repository: of the model, its projectors and drafts, sorted."""
    return tuple(sorted({f for a in _all(model) if a.repository == repository for f in a.files}))


def best(model: str, quantization: str) -> Artifact | None:
    """Return the best published GGUF file of a model with this tag, in any case; None if none is known.

    MXFP4 and MXFP4_MOE stand for each other: llama.cpp's quantiser and publishers call the same recipe so.
    """
    asked = quantization.upper()
    other = {"MXFP4": "MXFP4_MOE", "MXFP4_MOE": "MXFP4"}.get(asked, asked)
    files = [a for a in artifacts(model) if a.format == "gguf"]
    return next((a for tag in (asked, other) for a in files if a.quantization == tag), None)


@lru_cache(maxsize=1024)
def _all(model: str) -> tuple[Artifact, ...]:
    line = _line(model)
    if not line:
        return ()
    _, repositories = msgspec.json.decode(line)
    sources = _sources()
    return tuple(_artifact(model, r, file, sources) for r in repositories for file in r[-1])


def _artifact(model: str, repository: list[Any], file: list[Any], sources: list[list[str]]) -> Artifact:
    name, kind, tuned, rank, mtp, projector, _ = repository
    tag, files, size, rounded, source, date, listed = file
    return Artifact(
        model=model,
        repository=name,
        format=kind,
        tuned=tuned,
        quantization=tag,
        files=tuple(files),
        bytes=size or None,
        rounded=bool(rounded),
        projector=projector[0] if projector else "",
        projector_bytes=projector[1] or None if projector else None,
        mtp=bool(mtp),
        rank=rank,
        source=sources[source][0],
        date=date,
        confidence="listing" if listed else "used-in-text",
    )


def checksum(model: str) -> int:
    """Return a checksum of what is known to be published of a model."""
    return crc32(_line(model))


def _line(model: str) -> bytes:
    """Return the line of a model in the file, nothing if it has none."""
    text = _text()
    start = text.find(b"\n[" + json.dumps(model, ensure_ascii=False).encode() + b",")
    return b"" if start < 0 else text[start + 1 : text.index(b"\n", start + 1)]


@cache
def _text() -> bytes:
    return packaged(FILE)


@cache
def _sources() -> list[list[str]]:
    text = _text()
    sources: list[list[str]] = msgspec.json.decode(text[: text.index(b"\n")])
    return sources
