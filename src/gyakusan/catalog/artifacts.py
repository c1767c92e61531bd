"""Which files are really published for a model: repositories, tags, sizes. Facts: data/artifacts.jsonl.

Written by tools/artifact_table.py. Its first line names the sources; then one line for each model, of which only the one that
is asked for is read. A model's repositories stand best first: tuned before unclear, the plain model before special
conversions, seen in a listing before named in a text, then by publisher.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from gyakusan.catalog.places import DATA

FILE = DATA / "artifacts.jsonl"
Format = Literal[
    "gguf", "awq", "gptq", "int4", "int8", "fp8", "nvfp4", "mxfp4", "bf16", "mlx", "ollama", "projector", "draft"
]
Tuned = Literal["instruct", "thinking", "coder", "base", "unclear", ""]
Confidence = Literal["listing", "used-in-text"]
BESIDE = ("projector", "draft")
"""Formats of files that are loaded beside a model."""


@dataclass(frozen=True, slots=True)
class Artifact:
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
    confidence: seen in a listing, or named in a text
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


def beside(model: str) -> tuple[Artifact, ...]:
    """Return the projectors and draft models that are published for a model."""
    return tuple(a for a in _all(model) if a.format in BESIDE)


def repository_files(model: str, repository: str) -> tuple[str, ...]:
    """Return every GGUF file that was seen in a repository: of the model, its projectors and drafts, sorted."""
    return tuple(sorted({f for a in _all(model) if a.repository == repository for f in a.files}))


def best(model: str, quantization: str, formats: tuple[Format, ...] = ("gguf",)) -> Artifact | None:
    """Return the best published form of a model with this tag, in any case; None if none is known."""
    tag = quantization.upper()
    return next((a for a in artifacts(model) if a.format in formats and a.quantization.upper() == tag), None)


@lru_cache(maxsize=1024)
def _all(model: str) -> tuple[Artifact, ...]:
    text = _text()
    start = text.find(b"\n[" + json.dumps(model, ensure_ascii=False).encode() + b",")
    if start < 0:
        return ()
    _, repositories = json.loads(text[start + 1 : text.index(b"\n", start + 1)])
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


@cache
def _text() -> bytes:
    return FILE.read_bytes()


@cache
def _sources() -> list[list[str]]:
    text = _text()
    sources: list[list[str]] = json.loads(text[: text.index(b"\n")])
    return sources
