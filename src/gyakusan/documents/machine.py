"""The JSON of `gyakusan detect`: a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.core.machine import Machine, Simd
from gyakusan.documents.common import catalogue_date
from gyakusan.message import Message


class DeviceJson(Struct, frozen=True):
    """A place where bytes can live.

    name: of the device
    kind: gpu, host or unified
    backend: what drives it
    memory: capacity, null if not known [B]
    reserved: what an engine may not have of it [B]
    reserved_basis: where that figure comes from
    usable: what an engine may have of it, null if not known [B]
    bandwidth: of its memory, null if not known [B/s]
    source: where the figures come from
    """

    name: str
    kind: str
    backend: str
    memory: int | None
    reserved: int
    reserved_basis: str
    usable: int | None
    bandwidth: float | None
    source: str


class DetectJson(Struct, frozen=True, kw_only=True):
    """What this computer offers: `gyakusan detect`.

    schema: name and version of this form
    catalogue: date of the catalogue
    name: of the computer
    processor: its name
    cores: of the processor
    simd: vector units of the processor
    devices: GPUs first
    notes: what a reader has to know besides
    """

    name: str
    processor: str
    cores: int
    simd: Simd
    devices: tuple[DeviceJson, ...]
    notes: tuple[Message, ...]
    schema: Literal["gyakusan/detect/1"] = "gyakusan/detect/1"
    catalogue: str = field(default_factory=catalogue_date)


def machine(value: Machine, notes: Sequence[Message]) -> DetectJson:
    """Return a machine."""
    devices = tuple(
        DeviceJson(
            *(d.name, d.kind, d.backend, d.memory, d.reserved, d.reserved_basis, d.usable, d.bandwidth, d.source)
        )
        for d in value.devices
    )
    return DetectJson(
        name=value.name,
        processor=value.processor,
        cores=value.cores,
        simd=value.simd,
        devices=devices,
        notes=tuple(notes),
    )
