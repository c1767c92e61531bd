"""The part of a model that reads images: which file llama-server would load beside it, and how large it is."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gyakusan.catalog.artifacts import artifacts, best

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

ProjectorBasis = Literal["read", "derived", "assumed"]
ASSUMED = 1_200_000_000
"""Of a projector whose size nobody wrote down: as the largest seen of models of up to 40 B weights (1,181,000,000) [B]."""

OF_8_BITS = 1.6
"""A projector in 16 bits over its Q8_0 file, which leaves positions, norms and biases in 32 bits: Qwen3-VL's 1,159 and 712 MB."""
LARGEST = 6_000_000_000
"""More is no projector: the largest seen has 5,369,000,000 (Mistral Medium 3.5) [B]."""


class Projector(Struct, frozen=True):
    """The part of a model that reads images.

    file: as llama-server would fetch it with the model, "" = none was seen
    bytes: its size [B]
    basis: read (of this file), derived (of another file of the same model, or of its weights) or assumed
    """

    file: str
    bytes: int
    basis: ProjectorBasis


def reads_images(record: ModelRecord) -> bool:
    """Return True for a model that takes images, or for which a projector is published."""
    return projector_of(record, "") is not None


def projector_of(record: ModelRecord, tag: str) -> Projector | None:
    """Return what reads images, None for a model that reads none.

    tag: of the GGUF file, e.g. "UD-Q4_K_XL": its repository decides the file; of an unknown one the best repository.
    """
    return _found(record.name, tag.upper(), "image" in record.modalities, _beside_text(record))


def unquantized_projector(record: ModelRecord) -> Projector | None:
    """Return the largest file that was seen, as a checkpoint holds what reads images; None for a model that reads none."""
    found = projector_of(record, "")
    files = [(a.projector or "", a.projector_bytes or 0) for a in artifacts(record.name) if a.format == "gguf"]
    wide = max((size for name, size in files if "Q8_0" not in name.upper()), default=0)
    narrow = round(max((size for _, size in files), default=0) * OF_8_BITS)
    largest = wide or narrow or 2 * _beside_text(record)
    if found is None or largest <= found.bytes:
        return found
    return Projector("", largest, "derived")


@lru_cache(maxsize=1024)
def _found(model: str, tag: str, images: bool, beside: int) -> Projector | None:
    """Return the projector. images: the model takes images; beside: weights beside those of the text, 0 = not known."""
    files = [a for a in artifacts(model) if a.format == "gguf" and a.projector]
    if not files and not images:
        return None
    own = best(model, tag) if tag else files[0] if files else None
    if own is not None and own.projector and own.projector_bytes:
        return Projector(own.projector, own.projector_bytes, "read")
    size = max((a.projector_bytes or 0 for a in files), default=0) or 2 * beside
    return Projector(own.projector if own else "", size or ASSUMED, "derived" if size else "assumed")


def _beside_text(record: ModelRecord) -> int:
    """Return the weights that the hub counts and the text model lacks, if they are those of vision [values]."""
    more = record.published - record.parameters if record.beside == "vision" else 0
    return more if 0 < 2 * more <= LARGEST else 0
