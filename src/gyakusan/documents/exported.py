"""The JSON of `gyakusan export`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.engines.deployment import Deployment


class ExportJson(Struct, frozen=True, kw_only=True):
    """A plan as a file for what runs it: `gyakusan export --json`.

    schema: name and version of this form
    catalogue: date of the catalogue
    kind: of file: kubernetes, compose, quadlet, systemd, caddy or vllm-stack
    models: names of the models that it serves
    fits: True if each surely fits its machine
    text: of the file
    """

    kind: str
    models: tuple[str, ...]
    fits: bool
    text: str
    schema: Literal["gyakusan/export/1"] = "gyakusan/export/1"
    catalogue: str = field(default_factory=catalogue_date)


def exported(asked: Sequence[Deployment], kind: str, text: str) -> ExportJson:
    """Return the document of an export."""
    fits = all(bool(a.ledger.fits) for a in asked)
    return ExportJson(kind=kind, models=tuple(a.name for a in asked), fits=fits, text=text)
