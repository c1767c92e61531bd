"""What reads images beside a published model: switched off, counted, or not there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from gyakusan.catalog.projectors import projector_of, unquantized_projector
from gyakusan.engines.registry import engine

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

ProjectorUse = Literal["none", "off", "counted"]
"""Of what reads images: the model or the server has none, the command switches it off, or the memory counts it."""


class ImagePart(Struct, frozen=True):
    """What reads images, of one model under one engine.

    use: what becomes of it
    projector_bytes: its file as published, 0 = not known or none [B]
    settings: the changes of settings that do it
    """

    use: ProjectorUse = "none"
    projector_bytes: int = 0
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def image_part(record: ModelRecord, name: str, format_name: str, *, images: bool | None) -> ImagePart:
    """Return what becomes of the part that reads images.

    name: of the engine; format_name: of the file, e.g. "UD-Q4_K_XL"; images: people send images, None = nobody said so: as
    the server does by itself
    """
    rules = engine(name)
    found = projector_of(record, format_name) if rules.STORAGE == "gguf" else unquantized_projector(record)
    if found is None or rules.IMAGES == "never":
        return ImagePart()
    wanted = rules.IMAGES == "usual" if images is None else images
    if rules.IMAGES != "always" and not wanted:
        return ImagePart("off", found.bytes)
    return ImagePart("counted", found.bytes, rules.image_settings(found.bytes))
