"""Facts with a source and a date: devices, whole computers, models, prices.

Each has one record in a TOML file under data/. `compile` makes an SQLite file of these, in which `records` looks names up;
nothing is read at import. `check` proves the records against `schema` and `rules`; `own` and `release` bring others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gyakusan.catalog.devices import DeviceMatch
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.core.machine import Device

__all__ = ["device", "device_names", "knows_device", "match_device", "model", "model_names"]


def device(name: str, memory: int | None = None) -> DeviceMatch:
    """Return the device or computer that `name` means. memory: chooses among sizes [B]. Raises UnknownName."""
    from gyakusan.catalog.devices import find

    return find(name, memory)


def knows_device(name: str) -> bool:
    """Return True if a device or computer has this name, in any size."""
    from gyakusan.catalog.devices import knows

    return knows(name)


def device_names() -> tuple[str, ...]:
    """Return the name of every device and computer, with sizes."""
    from gyakusan.catalog.devices import device_names

    return device_names()


def match_device(name: str, memory: int | None) -> Device | None:
    """Return the device for a name that a driver reports, None if there is no record. memory: as reported [B]."""
    from gyakusan.catalog.devices import match

    return match(name, memory)


def model(name: str) -> ModelRecord:
    """Return the model that `name` means. Raises UnknownName with the nearest names."""
    from gyakusan.catalog.models import find

    return find(name)


def model_names() -> tuple[str, ...]:
    """Return the name of every model."""
    from gyakusan.catalog.models import model_names

    return model_names()
