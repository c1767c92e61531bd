"""Facts with a source and a date: devices, whole computers, models, prices. One record for each thing under data/.

Nothing is read at import; a lookup scans names and parses one record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyakusan.catalog.devices import DeviceMatch
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.core.machine import Device

RELEASE = "2026.11.23"
"""Date of these records. A fetched release counts if its date is later."""

__all__ = ["device", "device_names", "knows_device", "match_device", "model", "model_names"]


def device(name: str, memory: int | None = None) -> DeviceMatch:
    """The device or computer that `name` means; memory [B] chooses among sizes. Raises UnknownName."""
    from gyakusan.catalog.devices import find

    return find(name, memory)


def knows_device(name: str) -> bool:
    """True if a device or computer is called so, whatever its sizes."""
    from gyakusan.catalog.devices import knows

    return knows(name)


def device_names() -> tuple[str, ...]:
    """Every device and computer, with sizes."""
    from gyakusan.catalog.devices import device_names

    return device_names()


def match_device(name: str, memory: int | None) -> Device | None:
    """The catalogue's Device for a name that a driver reports, None if it is not there. memory: as reported [B]."""
    from gyakusan.catalog.devices import match

    return match(name, memory)


def model(name: str) -> ModelRecord:
    """The model that `name` means. Raises UnknownName with the nearest names."""
    from gyakusan.catalog.models import find

    return find(name)


def model_names() -> tuple[str, ...]:
    """Every model."""
    from gyakusan.catalog.models import model_names

    return model_names()
