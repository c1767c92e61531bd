"""Put metadata and tensors together into a Model, wherever they were read."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.core import recipe
from gyakusan.core.model import CATALOGUE, Model, Stored, Tensor
from gyakusan.doors.text import NAME, line
from gyakusan.errors import Unsupported
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gyakusan.catalog.models import ModelRecord
    from gyakusan.models.formats.safetensors import Header
    from gyakusan.models.sources import Source

KEPT = 64
"""Models of the catalogue that are kept: what is computed from one is kept with it, see core.memo."""


def from_gguf(target: str, *, remote: bool, opener: Callable[[str], Source] | None = None) -> Model:
    """Return the model of a GGUF file (or its parts) on disk, or at an http(s) address of which only the header is fetched.

    opener: opens `target` and its further parts, None = the usual one. Raises BadModel, BadReference, SourceError.
    """
    from gyakusan.models.formats import gguf, gguf_loadable
    from gyakusan.models.sources import open as usual

    header = gguf.read_parts(target, opener or usual)
    if header.metadata.get("general.architecture") == "clip":
        raise Unsupported(
            "{name} is a projector: the image or sound part of a model.", name=header.name,
            mend="Give the model's own file, and add this one with --set projector=PATH.",
        )  # fmt: skip
    gguf_loadable.check(header)
    tensors = tuple(Tensor(t.name, t.shape, t.type) for t in header.tensors)
    metadata = Metadata(header.metadata, frozenset(t.name for t in tensors))
    source = header.name if remote else target  # an address as typed may hold a password
    name = _title(source, str(header.metadata.get("general.name", "")))
    file_type = header.metadata.get("general.file_type")
    stated = recipe.FILE_TYPES.get(file_type) if isinstance(file_type, int) else None
    model = families.build(metadata, tensors, name=name, source=source, quantization=stated or recipe.guess(tensors))
    return replace(model, stored=Stored("gguf", header.size or 0))


_PART = re.compile(r"-\d{5}-of-\d{5}$")
_BLOB = re.compile(r"(?:sha256[-:])?[0-9a-f]{32,}")


def _title(source: str, stated: str) -> str:
    """Return the name of a file without its ending; `stated`, what converters wrote into it, where a store named the file."""
    stem = _PART.sub("", source.rstrip("/").rsplit("/", 1)[-1].removesuffix(".gguf"))
    named = stated if stated and _BLOB.fullmatch(stem) else stem
    return line(named, NAME) or "?"


def from_directory(path: str) -> Model:
    """Return the model of a Hugging Face directory as llama.cpp's converter would write it, unquantised.

    config.json is enough. If there are safetensors files, their headers show whether the output matrix is the embedding
    table. Raises BadModel, BadReference, SourceError.
    """
    from gyakusan.models.formats import config, safetensors

    folder = Path(path)
    read = config.read(folder)
    head = safetensors.read_folder(folder) if any(folder.glob("*.safetensors")) else None
    return from_config(read, head, name=line(folder.resolve().name, NAME), source=path)


def from_config(config: Mapping[str, Any], head: Header | None, *, name: str, source: str) -> Model:
    """Return the model of a config.json, unquantised, with its safetensors tensors. head: None = no header was read."""
    from gyakusan.models.formats import quantization

    metadata = families.convert(config)
    if head is None:
        model = families.unquantized(metadata, name=name, source=source)
        return replace(model, checkpoint=quantization.checkpoint(config))
    if head.tensors:
        tied = not any(t.name.endswith("lm_head.weight") for t in head.tensors)
        metadata = Metadata({**metadata.values, "gyakusan.tied": tied})
    kept = Stored("mlx" if _is_mlx(config, head) else "safetensors", head.size, config)
    model = families.unquantized(metadata, name=name, source=source)
    return replace(model, stored=kept, checkpoint=quantization.checkpoint(config, head.tensors))


def _is_mlx(config: Mapping[str, Any], head: Header) -> bool:
    """Return True for an MLX conversion: its metadata says so, or `quantization` has its group size."""
    said = config.get("quantization")
    return head.metadata.get("format") == "mlx" or (isinstance(said, dict) and "group_size" in said)


def from_record(record: ModelRecord, quantization: str | None = None) -> Model:
    """Return the model of a catalogue record, at `quantization` or the quantisation that people usually download.

    Its bytes are those of the published file where they are known.
    """
    return _at(_Same(record), quantization or record.quantization)


class _Same:
    """A record that is told apart by identity: the catalogue has one object for each, and to hash its values takes long."""

    __slots__ = ("record",)

    def __init__(self, record: ModelRecord) -> None:
        self.record = record

    def __hash__(self) -> int:
        return id(self.record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.record is other.record


@lru_cache(maxsize=KEPT)
def _at(same: _Same, quantization: str) -> Model:
    from gyakusan.models.published import at_tag

    return at_tag(plain(same.record), quantization)


def plain(record: ModelRecord) -> Model:
    """Return the model of a catalogue record, unquantised."""
    metadata = Metadata({**record.metadata, "gyakusan.tied": record.tied})
    return families.unquantized(metadata, name=record.name, source=f"{CATALOGUE}{record.name}")
