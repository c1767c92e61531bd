"""What reads images beside a published model: switched off, counted, or not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from gyakusan.catalog.models import find
from gyakusan.catalog.projectors import projector_of, unquantized_projector
from gyakusan.engines.deployment import CATALOGUE
from gyakusan.engines.registry import engine

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.deployment import Deployment

ProjectorUse = Literal["none", "off", "counted"]
"""Of what reads images: the model or the server has none, the command switches it off, or the memory counts it."""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """What reads images, of one model under one engine.

    use: what becomes of it
    projector_bytes: its file as published, 0 = not known or none [B]
    settings: the changes of settings that do it
    """

    use: ProjectorUse = "none"
    projector_bytes: int = 0
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def image_part(record: ModelRecord, name: str, format_name: str, *, images: bool) -> ImagePart:
    """Return what becomes of the part that reads images.

    name: of the engine; format_name: of the file, e.g. "UD-Q4_K_XL"; images: people send images
    """
    rules = engine(name)
    found = projector_of(record, format_name) if rules.STORAGE == "gguf" else unquantized_projector(record)
    if found is None or rules.IMAGES == "never":
        return ImagePart()
    if rules.IMAGES == "optional" and not images:
        return ImagePart("off", found.bytes)
    return ImagePart("counted", found.bytes, rules.image_settings(found.bytes))


def projector_use(deployment: Deployment) -> ImagePart:
    """Return what becomes of the part that reads images in a deployment; use is "none" unless the catalogue has the model."""
    if not deployment.model.source.startswith(CATALOGUE):
        return ImagePart()
    part = image_part(find(deployment.name), deployment.engine, deployment.quantization, images=False)
    counted = deployment.rules.image_settings(part.projector_bytes)
    given = any(deployment.changes.get(key) for key in counted)
    return ImagePart("counted", part.projector_bytes, counted) if part.use == "off" and given else part
