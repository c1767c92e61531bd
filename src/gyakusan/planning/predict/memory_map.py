"""The memory of a deployment for every stop of two sliders: contexts x users, for each type of the KV cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.ledger import KINDS, Account, Fit, LineKind
from gyakusan.core.load import Load
from gyakusan.core.machine import Device
from gyakusan.engines.base import EngineModule, EngineSettings
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import GyakusanError

CONTEXTS = tuple(1024 * k for k in (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024))
"""Stops of the slider of the context; those beyond what the model was trained for are left out. [tokens]"""
USERS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)
"""Stops of the slider of the people."""
MOST_STOPS = 12
"""Contexts at most: a column on a phone is a finger wide."""
FEW_STOPS, FEW_USERS = 7, (1, 2, 4, 8, 16, 32)
"""Of an engine that is asked stop by stop, some 20 ms each; it is asked about the deployment's own cache only."""
SHORT, UNSURE, FITS = 0, 1, 2
"""Values of `MapLayer.fit`."""
FIT_WORDS: tuple[Fit, ...] = ("short", "unsure", "fits")
"""What they are called elsewhere, by value."""


class DeviceMemory(Struct, frozen=True):
    """The memory of one device for every stop; arrays are (users, contexts).

    device: whose memory
    parts: bytes of each kind of line [B]
    low: low end of doubt [B]
    high: high end of doubt [B]
    grows: what use adds at most [B]
    """

    device: Device
    parts: Mapping[LineKind, Any]
    low: Any
    high: Any
    grows: Any


class MapLayer(Struct, frozen=True):
    """The map for one type of cache; arrays are (users, contexts).

    cache: the type
    devices: one for each device
    fit: SHORT, UNSURE or FITS
    spare: bytes surely to spare on the fullest device, negative if its high end is over [B]
    """

    cache: str
    devices: tuple[DeviceMemory, ...]
    fit: Any
    spare: Any


class MemoryMap(Struct, frozen=True):
    """Where a deployment fits.

    contexts: stops [tokens]
    users: stops
    layers: the deployment's own type of cache, then the others that the engine has, where they are quickly worked out
    """

    contexts: tuple[int, ...]
    users: tuple[int, ...]
    layers: tuple[MapLayer, ...]


def stops(trained: int, asked: int, most: int = MOST_STOPS) -> tuple[int, ...]:
    """Return the contexts of the slider [tokens]: up to the trained one (1M at most), with the asked one among them.

    trained: context that the model was trained for, 0 = unknown
    asked: context of the question
    most: how many at most; those nearest to their neighbours go first
    """
    end = trained or max(asked, 131072)
    found = sorted({c for c in CONTEXTS if c <= end} | ({end} if end <= CONTEXTS[-1] else set()) | {asked})
    while len(found) > most:
        gaps = [(found[i + 1] / found[i - 1], i) for i in range(1, len(found) - 1) if found[i] != asked]
        found.pop(min(gaps)[1])
    return tuple(found)


def memory_map(deployment: Deployment) -> MemoryMap:
    """Return the memory for every stop. Raises BadSetting where the deployment's own settings are refused."""
    load, trained = deployment.load, deployment.model.trained_context
    contexts = stops(trained, int(load.context))
    users = tuple(sorted({*USERS, int(load.users)}))
    own = own_cache(deployment)
    caches = (own, *(c for c in cache_types(deployment.rules) if c != own))
    if _at_once(deployment, deployment.changes, contexts, users) is None:
        contexts = stops(trained, int(load.context), FEW_STOPS)
        users = tuple(sorted({*FEW_USERS, int(load.users)}))
        caches = caches[:1]
    layers = []
    for cache in caches:
        try:
            layers.append(_layer(deployment, cache, _changes(deployment, cache), contexts, users))
        except GyakusanError:
            if cache == own:
                raise
    return MemoryMap(contexts, users, tuple(layers))


def cache_types(rules: EngineModule[EngineSettings]) -> tuple[str, ...]:
    """Return the types of the KV cache that an engine has, in the words of llama.cpp; equal settings are listed once."""
    small, smaller = rules.cache_setting("Q8_0"), rules.cache_setting("Q4_0")
    return ("f16", *(("q8_0",) if small else ()), *(("q4_0",) if smaller and smaller != small else ()))


def own_cache(deployment: Deployment) -> str:
    """Return the type of a deployment's KV cache among `cache_types`; its own word for another one, e.g. q5_1."""
    types = cache_types(deployment.rules)
    for name in types[1:]:
        setting = deployment.rules.cache_setting(name.upper()) or {}
        if all(str(getattr(deployment.settings, k)).upper() == str(v).upper() for k, v in setting.items()):
            return name
    return deployment.cache_type


def _changes(deployment: Deployment, cache: str) -> Mapping[str, object]:
    """Return the settings with another type of cache."""
    if cache == own_cache(deployment):
        return deployment.changes
    if cache == "f16":
        own = {k for kind in ("Q8_0", "Q4_0") for k in deployment.rules.cache_setting(kind) or {}}
        return {k: v for k, v in deployment.changes.items() if k not in own}
    return {**deployment.changes, **(deployment.rules.cache_setting(cache.upper()) or {})}


def _layer(
    deployment: Deployment, cache: str, changes: Mapping[str, object], contexts: tuple[int, ...], users: tuple[int, ...]
) -> MapLayer:
    """Return the map of one type of cache: in one step where the engine's rules broadcast, else stop by stop."""
    shape = len(users), len(contexts)
    found = _at_once(deployment, changes, contexts, users)
    if found is not None:
        return _judged(cache, tuple(_spread(a, shape) for a in found), shape)
    rows = [[_accounts(deployment, changes, Load(u, c)) for c in contexts] for u in users]
    return _judged(cache, _joined(rows), shape)


def _judged(cache: str, devices: tuple[DeviceMemory, ...], shape: tuple[int, int]) -> MapLayer:
    fit, spare = np.full(shape, FITS), np.full(shape, np.inf)
    for memory in devices:
        usable = memory.device.usable
        if usable is None:
            continue
        spare = np.minimum(spare, usable - memory.high)
        fit = np.minimum(fit, np.where(memory.high <= usable, FITS, np.where(memory.low <= usable, UNSURE, SHORT)))
    return MapLayer(cache, devices, fit, spare)


def _at_once(
    deployment: Deployment, changes: Mapping[str, object], contexts: tuple[int, ...], users: tuple[int, ...]
) -> tuple[Account, ...] | None:
    """Return the accounts with arrays of (users, contexts), None where the engine decides by the load.

    An engine that places layers by the load takes other paths for other loads: the corners show it.
    """
    load = Load(np.array(users)[:, None], np.array(contexts)[None, :])
    try:
        found = _accounts(deployment, changes, load)
    except (TypeError, ValueError):  # it asks whether an array is true
        return None
    shape = len(users), len(contexts)
    corners = (
        (0, 0),
        (0, shape[1] - 1),
        (shape[0] - 1, 0),
        (shape[0] - 1, shape[1] - 1),
        (shape[0] // 2, shape[1] // 2),
    )
    for u, c in corners:
        exact = _accounts(deployment, changes, Load(users[u], contexts[c]))
        same = len(exact) == len(found) and all(
            float(np.broadcast_to(a.at_most, shape)[u, c]) == float(e.at_most) and a.device == e.device
            for a, e in zip(found, exact, strict=True)
        )
        if not same:
            return None
    return found


def _accounts(deployment: Deployment, changes: Mapping[str, object], load: Load) -> tuple[Account, ...]:
    d = structs.replace(deployment, changes=changes).at(load)  # what is whole on the GPUs stays whole
    return d.rules.accounts(d.model, d.load, d.machine, d.settings)


def _spread(account: Account, shape: tuple[int, int]) -> DeviceMemory:
    """Return the memory of one device from an account of arrays."""

    def full(value: Any) -> Any:
        return np.broadcast_to(np.asarray(value, float), shape)

    parts = {kind: full(account.of(kind)) for kind in KINDS}
    grows = full(account.high) - full(account.at_most)
    return DeviceMemory(account.device, parts, full(account.at_least), full(account.at_most), grows)


def _joined(rows: list[list[tuple[Account, ...]]]) -> tuple[DeviceMemory, ...]:
    """Return the memory of every device from the accounts of each stop; a load may take fewer devices than another."""
    numbered = [[dict(_numbered(cell)) for cell in row] for row in rows]
    longest = max((cell for row in numbered for cell in row), key=len)

    def of(key: tuple[str, int], value: Callable[[Account], Number]) -> Any:
        return np.array([[float(value(cell[key])) if key in cell else 0.0 for cell in row] for row in numbered])

    def one(key: tuple[str, int]) -> DeviceMemory:
        parts = {kind: of(key, partial(Account.of, kind=kind)) for kind in KINDS}
        grows = of(key, lambda a: a.high - a.at_most)
        return DeviceMemory(
            longest[key].device, parts, of(key, lambda a: a.at_least), of(key, lambda a: a.at_most), grows
        )

    return tuple(one(key) for key in longest)


def _numbered(accounts: Sequence[Account]) -> Iterator[tuple[tuple[str, int], Account]]:
    """Yield each account with its device's name and its number among devices of that name."""
    seen: Counter[str] = Counter()
    for account in accounts:
        yield (account.device.name, seen[account.device.name]), account
        seen[account.device.name] += 1


def cells(layer: MapLayer) -> Iterator[tuple[int, int, Fit]]:
    """Yield the place and the verdict of each cell: number of the users' stop, of the context's, verdict."""
    for u, row in enumerate(layer.fit):
        for c, value in enumerate(row):
            yield u, c, FIT_WORDS[int(value)]
