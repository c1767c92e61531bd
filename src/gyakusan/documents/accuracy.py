"""The JSON of `gyakusan accuracy`: errors against recorded truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from gyakusan.catalog.accuracy import Section
from gyakusan.documents.common import catalogue_date


class MemoryAccuracyJson(Struct, frozen=True, kw_only=True):
    """Errors of bytes, relative: `gyakusan accuracy memory`.

    schema: name and version of this form
    catalogue: date of the catalogue
    memory: one section for each truth
    """

    memory: tuple[Section, ...]
    schema: Literal["gyakusan/accuracy-memory/1"] = "gyakusan/accuracy-memory/1"
    catalogue: str = field(default_factory=catalogue_date)


class SpeedAccuracyJson(Struct, frozen=True, kw_only=True):
    """Errors of tokens per second, relative: `gyakusan accuracy speed`.

    schema: name and version of this form
    catalogue: date of the catalogue
    speed: null if nothing was judged yet; else `rows`, `resolved_share`, `left_out`, `usual_rule` and `fresh`
    """

    speed: Mapping[str, Any] | None
    schema: Literal["gyakusan/accuracy-speed/1"] = "gyakusan/accuracy-speed/1"
    catalogue: str = field(default_factory=catalogue_date)
