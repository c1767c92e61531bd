"""A Hugging Face model folder: config.json says what the model is, safetensors files hold its tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gyakusan.core.model import Tensor
from gyakusan.errors import BadReference, Malformed
from gyakusan.message import say
from gyakusan.models.formats import _json
from gyakusan.models.sources import disk

NAME = "config.json"
LONGEST = 16 * 1024 * 1024
"""Longest config.json. [B] Real ones stay under 1 MiB."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A model folder. config: as it is written, text_config of multimodal models inside; size: of the tensor files [B];
    tensors: with Hugging Face names, the contiguous dimension of each shape first.
    """

    name: str
    config: dict[str, Any] = field(repr=False)
    tensors: tuple[Tensor, ...] = field(repr=False)
    size: int
    files: tuple[str, ...]


def read(path: str | Path) -> dict[str, Any]:
    """The object in config.json. path: the file or its folder. Raises BadReference, Malformed, SourceError."""
    path = Path(path).expanduser()
    if path.is_dir():
        path = path / NAME
        if not path.is_file():
            raise _absent(path.parent)
    with disk.open(path) as source:
        if (source.size or 0) > LONGEST:
            raise Malformed(
                "{file} is larger than {limit} MiB.", file=source.name, limit=LONGEST >> 20,
                mend="This is no model description: give the folder of a model.",
            )  # fmt: skip
        found = _json.loads(source.read(0, source.size or 0), source.name)
        if not isinstance(found, dict):
            raise _json.bad(source.name, say("it is not an object"))
        return found


def read_directory(path: str | Path) -> Directory:
    """config.json and the tensors of all shards. Raises BadReference, BadModel, SourceError."""
    from gyakusan.models.formats import safetensors

    folder = Path(path).expanduser()
    config = read(folder)
    head = safetensors.read_folder(folder)
    return Directory(disk.shown(folder), config, head.tensors, head.size, head.files)


def _absent(folder: Path) -> BadReference:
    found = sorted(folder.glob("*.gguf"))[:1]
    mend = "Give the path of the file {gguf} in it." if found else "Give a folder that a model was downloaded into."
    return BadReference(
        "There is no {name} in {folder}.", name=NAME, folder=disk.shown(folder),
        gguf=disk.shown(found[0].name) if found else "", mend=mend,
    )  # fmt: skip
