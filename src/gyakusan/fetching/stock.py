"""All models that programs keep on this computer, with their sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from gyakusan.errors import GyakusanError
from gyakusan.fetching.copies import Copy, everything, unfinished
from gyakusan.fetching.find import PACKAGED, packaged
from gyakusan.models import repository
from gyakusan.models.sources import hub


class Kept(Struct, frozen=True):
    """One model on this computer.

    name: what one writes for it: owner/name:TAG, owner/name, ollama:TAG, or a file
    program: who keeps it: Hugging Face, llama.cpp, LM Studio, Ollama, pip
    path: its first file, or its folder
    bytes: of its files [B]
    """

    name: str
    program: str
    path: Path
    bytes: int


class Stock(Struct, frozen=True):
    """What is on this computer.

    models: by program, then by name
    unfinished: files that were not fetched to their end
    unfinished_bytes: what they take [B]
    """

    models: tuple[Kept, ...]
    unfinished: tuple[Path, ...] = ()
    unfinished_bytes: int = 0

    @property
    def bytes(self) -> int:
        """What all models take [B]."""
        return sum(m.bytes for m in self.models)


def stock() -> Stock:
    """Return all models on this computer. What cannot be read is left out."""
    found = [kept for copy in everything() for kept in _models(copy)]
    if (small := packaged()) is not None:
        found.append(Kept(PACKAGED, small.program, small.path, small.bytes))
    parts = tuple(unfinished())
    sizes = 0
    for part in parts:
        try:
            sizes += part.stat().st_size
        except OSError:
            continue
    return Stock(tuple(sorted(found, key=lambda k: (k.program, k.name.casefold()))), parts, sizes)


def _models(copy: Copy) -> Iterator[Kept]:
    """Yield the models in a copy of a repository: each GGUF file with its parts, or the safetensors as one."""
    if copy.program == "Ollama":
        yield Kept(f"ollama:{copy.repository}", copy.program, copy.folder, copy.bytes)
        return
    if "/" not in copy.repository:
        yield Kept(copy.repository, copy.program, copy.folder / copy.repository, copy.bytes)
        return
    for choice in _choices(copy):
        name = f"{copy.repository}:{choice.name}"
        yield Kept(name, copy.program, copy.files[choice.files[0]], choice.bytes)
    weights = [f for f in copy.files if f.endswith(".safetensors")]
    if weights:
        yield Kept(copy.repository, copy.program, copy.folder, sum(copy.sizes[f] for f in weights))


def _choices(copy: Copy) -> tuple[repository.Choice, ...]:
    """Return the GGUF models in a copy, none where parts are missing."""
    try:
        return repository.choices(hub.Listing(hub.Repository(copy.repository), dict(copy.sizes)))
    except GyakusanError:
        return ()
