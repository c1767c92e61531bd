"""The JSON of a memory map: the page's sliders look every stop up in it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from gyakusan.core.ledger import Fit
from gyakusan.documents.common import catalogue_date
from gyakusan.planning.predict.memory_map import FIT_WORDS, DeviceMemory, MapLayer, MemoryMap

Rows = tuple[tuple[int, ...], ...]
"""A figure for each stop: rows are the users, columns the contexts."""


class MappedDeviceJson(Struct, frozen=True, kw_only=True):
    """The memory of one device for every stop.

    name: of the device
    kind: gpu, host or unified
    capacity: of the device, null where it is unknown [B]
    usable: by a server, null where it is unknown [B]
    weights: rows are the users, columns the contexts [B]
    kv_cache: the same [B]
    recurrent_state: the same [B]
    scratch: compute buffers [B]
    overhead: the same [B]
    low: low end of doubt [B]
    high: high end of doubt [B]
    grows: what use adds at most [B]
    """

    name: str
    kind: str
    capacity: int | None
    usable: int | None
    weights: Rows
    kv_cache: Rows
    recurrent_state: Rows
    scratch: Rows
    overhead: Rows
    low: Rows
    high: Rows
    grows: Rows


class MapLayerJson(Struct, frozen=True):
    """The map for one type of KV cache.

    cache: the type
    fit: fits, unsure or short; rows are the users, columns the contexts
    spare: bytes surely to spare on the fullest device, negative if its high end is over, null if no size is known [B]
    devices: one for each device
    """

    cache: str
    fit: tuple[tuple[Fit, ...], ...]
    spare: Rows | None
    devices: tuple[MappedDeviceJson, ...]


class MemoryMapJson(Struct, frozen=True, kw_only=True):
    """Where a model fits: every stop of two sliders, for each type of KV cache.

    schema: name and version of this form
    catalogue: date of the catalogue
    contexts: stops [tokens]
    users: stops
    layers: one for each type of cache, the asked one first
    """

    contexts: tuple[int, ...]
    users: tuple[int, ...]
    layers: tuple[MapLayerJson, ...]
    schema: Literal["gyakusan/memory-map/1"] = "gyakusan/memory-map/1"
    catalogue: str = field(default_factory=catalogue_date)


def memory_map(found: MemoryMap) -> MemoryMapJson:
    """Return the document of a map."""
    return MemoryMapJson(
        contexts=found.contexts, users=found.users, layers=tuple(_layer(layer) for layer in found.layers)
    )


def _layer(layer: MapLayer) -> MapLayerJson:
    known = any(d.device.usable is not None for d in layer.devices)
    fit = tuple(tuple(FIT_WORDS[int(v)] for v in row) for row in layer.fit)
    return MapLayerJson(
        layer.cache, fit, _rows(layer.spare) if known else None, tuple(_device(d) for d in layer.devices)
    )


def _device(memory: DeviceMemory) -> MappedDeviceJson:
    device = memory.device
    return MappedDeviceJson(
        name=device.name,
        kind=device.kind,
        capacity=_size(device.memory),
        usable=_size(device.usable),
        **{kind: _rows(values) for kind, values in memory.parts.items()},
        low=_rows(memory.low),
        high=_rows(memory.high),
        grows=_rows(memory.grows),
    )


def _size(value: Any) -> int | None:
    return None if value is None else int(value)


def _rows(values: Any) -> Rows:
    return tuple(tuple(int(v) for v in row) for row in values.tolist())
