"""Metadata and tensors, from wherever they were read, put together into a Model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.core import recipe
from gyakusan.core.model import Model, Tensor
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord


def from_gguf(target: str, *, remote: bool) -> Model:
    """The model in a GGUF file (or its parts) on disk, or at an http(s) address of which only the header is fetched."""
    from gyakusan.models.formats import gguf

    if remote:
        from gyakusan.models.sources import http

        header = gguf.read_parts(target, http.open)
    else:
        from gyakusan.models.sources import disk

        header = gguf.read_parts(target, disk.open)
    tensors = tuple(Tensor(t.name, t.shape, t.type) for t in header.tensors)
    metadata = Metadata(header.metadata, frozenset(t.name for t in tensors))
    source = header.name if remote else target  # an address as typed may hold a password
    name = str(header.metadata.get("general.name") or source.rsplit("/", 1)[-1].removesuffix(".gguf"))
    file_type = header.metadata.get("general.file_type")
    stated = recipe.FILE_TYPES.get(file_type) if isinstance(file_type, int) else None
    return families.build(
        metadata, tensors, name=name, source=source, quantization=stated or recipe.guess(tensors)
    )


def from_directory(path: str) -> Model:
    """The model of a Hugging Face directory, as llama.cpp's converter would write it, unquantised.

    config.json is enough. Where safetensors files are there too, their headers show whether the output matrix is the
    embedding table.
    """
    from gyakusan.models.formats import config, safetensors

    folder = Path(path)
    metadata = families.convert(config.read(folder))
    if any(folder.glob("*.safetensors")):
        tied = not any(t.name.endswith("lm_head.weight") for t in safetensors.read_folder(folder).tensors)
        metadata = Metadata({**metadata.values, "gyakusan.tied": tied})
    return families.unquantized(metadata, name=folder.resolve().name, source=path)


def from_record(record: ModelRecord, quantization: str | None = None) -> Model:
    """The model of a catalogue record, at `quantization` or at what people download by default."""
    return recipe.apply(quantization or record.quantization, plain(record))


def plain(record: ModelRecord) -> Model:
    """The model of a catalogue record, unquantised."""
    metadata = Metadata({**record.metadata, "gyakusan.tied": record.tied})
    return families.unquantized(metadata, name=record.name, source=f"catalog:{record.name}")
