"""A Hugging Face repository -> Model: GGUF files in several quantisations, or config.json and safetensors (MLX too)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from gyakusan.core.model import Extra, Model, Stored
from gyakusan.errors import BadReference, Malformed
from gyakusan.message import quoted
from gyakusan.models.assemble import from_config, from_gguf
from gyakusan.models.sources.hub import FIRST, Listing, missing

USUAL = ("Q4_K_M", "Q4_K_S", "Q4_0", "MXFP4", "MXFP4_MOE", "IQ4_XS", "Q5_K_M", "Q8_0", "BF16", "F16")
"""What is taken if nothing is said, the first that is there: Q4_K_M, as Ollama and llama.cpp do with hf.co names."""
SHARDS = 400
_PART = re.compile(r"(.*?)-(\d{5})-of-(\d{5})\.gguf$")
_KIND = r"(?:UD-)?(?:I?Q\d(?:_[0-9KMSLX]+)*|TQ\d_\d|MXFP4(?:_MOE)?|NVFP4|BF16|[FB]?P?(?:16|32))"
_QUANTIZATION = re.compile(rf"(?:^|[-._/])({_KIND})(?=$|[-._/])", re.IGNORECASE)
_NOT_WEIGHTS = re.compile(r"(?:^|/)(?:mmproj|imatrix|mtp|draft)[-._]|[-._]imatrix", re.IGNORECASE)
_PROJECTOR = re.compile(r"(?:^|/)mmproj[^/]*\.gguf$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """One quantisation that a repository offers.

    name: its short name
    files: its parts in order
    bytes: size of all parts, 0 if unknown [B]
    """

    name: str
    bytes: int
    files: tuple[str, ...]


def choices(listing: Listing) -> tuple[Choice, ...]:
    """Return every GGUF model in the repository, smallest first. Raises Malformed for missing parts."""
    found: dict[str, list[str]] = {}
    for file in sorted(listing.files):
        if file.lower().endswith(".gguf") and not _NOT_WEIGHTS.search(file):
            part = _PART.match(file)
            found.setdefault(part[1] if part else file, []).append(file)
    names = _labels(found)
    made = [Choice(names[stem], _size(listing, files), _whole(stem, files)) for stem, files in found.items()]
    return tuple(sorted(made, key=lambda c: (c.bytes, c.name)))


def read(listing: Listing) -> Model:
    """Return the model that `listing.repository` means. Raises BadReference, BadModel, SourceError."""
    wanted = listing.repository.wanted
    offered = choices(listing)
    if wanted.lower().endswith(".gguf") or (offered and not _plain(listing, wanted)):
        return _gguf(listing, _chosen(listing, offered, wanted))
    if wanted and wanted != "config.json":
        raise missing(listing, wanted) if wanted not in listing.files else _unread(listing, wanted)
    return _config(listing)


def _plain(listing: Listing, wanted: str) -> bool:
    """Return True if the safetensors are meant: a repository may offer both."""
    both = any(f.endswith(".safetensors") for f in listing.files) and "config.json" in listing.files
    return both and wanted in ("", "config.json")


def _chosen(listing: Listing, offered: tuple[Choice, ...], wanted: str) -> Choice:
    if not wanted:
        table = {c.name.upper(): c for c in reversed(offered)}
        return next((table[u] for u in USUAL if u in table), offered[0])
    asked = wanted.casefold()
    exact = [c for c in offered if asked in (c.name.casefold(), *(f.casefold() for f in c.files))]
    if not exact:
        exact = [c for c in offered if asked in (c.name.casefold().removeprefix("ud-"), _stem(c).casefold())]
    if not exact:
        raise BadReference(
            "{name} has no {wanted}.", name=str(listing.repository), wanted=quoted(wanted, 80),
            known=", ".join(c.name for c in offered[:40]) or "-", mend="It has {known}.",
        )  # fmt: skip
    return exact[0]


def _gguf(listing: Listing, choice: Choice) -> Model:
    first = choice.files[0]
    listing.open(first).close() if listing.folder is None else None
    model = from_gguf(listing.where(first), remote=listing.folder is None, opener=listing.opener())
    size = choice.bytes or (model.stored.bytes if model.stored else 0)
    extras = tuple(Extra("projector", listing.files[f] or 0, listing.where(f)) for f in _projectors(listing))
    return replace(
        model, name=_named(listing, choice), stored=Stored("gguf", size, extras=extras, repository=_tag(listing, choice)),
        quantization=model.quantization if model.quantization != "unknown" else choice.name,
    )  # fmt: skip


def _named(listing: Listing, choice: Choice) -> str:
    return f"{listing.repository.id}:{choice.name}"


def _tag(listing: Listing, choice: Choice) -> str:
    """Return what `-hf` and Ollama's hf.co/ take, "" for a file that no tag means and for another revision."""
    usual = listing.repository.at == "main" and _QUANTIZATION.fullmatch(choice.name)
    return _named(listing, choice) if usual else ""


def _projectors(listing: Listing) -> list[str]:
    """Return the projector that llama.cpp would take: F16 before other types."""
    found = sorted((f for f in listing.files if _PROJECTOR.search(f)), key=lambda f: ("f16" not in f.lower(), f))
    plain = [f for f in found if "bf16" not in f.lower()]
    return (plain or found)[:1]


def _config(listing: Listing) -> Model:
    """Return the model of config.json and the headers of all safetensors files."""
    from gyakusan.models.formats import json_text

    if "config.json" not in listing.files:
        raise BadReference(
            "{name} has neither config.json nor GGUF files.", name=str(listing.repository),
            mend="Give a repository with the model itself; adapters and datasets are not supported.",
        )  # fmt: skip
    config = json_text.loads(listing.document("config.json"), "config.json")
    if not isinstance(config, dict):
        raise Malformed(
            "config.json of {name} is not an object.", name=str(listing.repository), mend="Try another revision."
        )
    name = str(listing.repository).removeprefix("hf:")
    model = from_config(config, _head(listing), name=name, source=str(listing.folder or listing.repository))
    if model.stored is None or listing.repository.at != "main":
        return model
    return replace(model, stored=replace(model.stored, repository=name))


def _head(listing: Listing) -> Any:
    """Return the headers of all shards as one, None unless all are there (a cache may hold only the config)."""
    from gyakusan.models.formats import safetensors

    files = _weights(listing)
    if not files:
        return None
    if len(files) > SHARDS:
        raise Malformed(
            "{name} has {n} shards.", name=str(listing.repository), n=len(files), mend="Give one GGUF file."
        )

    totals = safetensors.Totals()

    def one(file: str) -> safetensors.Header:
        with listing.open(file, FIRST) as source:
            return safetensors.read(source, totals)

    with ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(one, files))
    tensors = tuple({t.name: t for head in heads for t in head.tensors}.values())
    return replace(heads[0], tensors=tensors, size=sum(h.size for h in heads), files=tuple(files))


def _weights(listing: Listing) -> list[str]:
    """Return the safetensors files of the model: those of the index, else those named model*; none if the index's are missing."""
    from gyakusan.models.formats import json_text
    from gyakusan.models.formats.safetensors import BRACKETS, INDEX

    top = sorted(f for f in listing.files if f.endswith(".safetensors") and "/" not in f)
    if INDEX not in listing.files:
        return [f for f in top if f.startswith("model")] or [f for f in top if not f.startswith("consolidated")]
    index = json_text.loads(listing.document(INDEX), INDEX, BRACKETS)
    where = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(where, dict) or not all(isinstance(f, str) for f in where.values()):
        raise Malformed("{file} has no weight_map.", file=INDEX, mend="Download the model again.")
    files = sorted(set(where.values()))
    absent = [f for f in files if f not in listing.files]
    if absent and listing.folder is None:
        raise missing(listing, absent[0])
    return [] if absent else files


def _labels(stems: Iterable[str]) -> MappingProxyType[str, str]:
    """Return a short name for each: its quantisation if no other has the same, else the file's name."""
    said = {s: [m.group(1) for m in _QUANTIZATION.finditer(s.removesuffix(".gguf"))] for s in stems}
    short = {s: found[-1].upper() if found else s.rsplit("/", 1)[-1].removesuffix(".gguf") for s, found in said.items()}
    seen = Counter(short.values())
    return MappingProxyType({s: n if seen[n] == 1 else s.removesuffix(".gguf") for s, n in short.items()})


def _stem(choice: Choice) -> str:
    return choice.files[0].rsplit("/", 1)[-1].removesuffix(".gguf")


def _size(listing: Listing, files: list[str]) -> int:
    sizes = [listing.files[f] for f in files]
    return 0 if None in sizes else sum(s or 0 for s in sizes)


def _whole(stem: str, files: list[str]) -> tuple[str, ...]:
    """Return the parts if all are there. Raises Malformed."""
    last = _PART.match(files[-1])
    if last and len(files) != int(last[3]):
        raise Malformed(
            "{file} has {n} parts, and only {m} are there.", n=int(last[3]), m=len(files), file=stem[:120],
            mend="Choose another quantisation, or fetch the missing parts.",
        )  # fmt: skip
    return tuple(files)


def _unread(listing: Listing, file: str) -> BadReference:
    return BadReference(
        "{file} in {name} is not of a supported kind.", file=file[:120], name=str(listing.repository),
        mend="Give a GGUF file or a quantisation, or the repository alone.",
    )  # fmt: skip
