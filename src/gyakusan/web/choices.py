"""What a person may choose from: names of models, devices, engines, formats."""

from __future__ import annotations

from functools import lru_cache

from gyakusan.catalog.entry import Entry
from gyakusan.catalog.records import own_entries
from gyakusan.engines import registry
from gyakusan.errors import GyakusanError

CACHES = ("f16", "q8_0")
"""Types of KV cache with which plans are made."""
TASK_TEXTS = {
    "chat": "Chat", "coding": "Coding", "rag": "Questions about documents", "agents": "Agents",
    "translation": "Translation",
}  # fmt: skip
PREFER_TEXTS = {"balanced": "Balanced", "quality": "Quality", "speed": "Speed", "price": "Price"}


def model_names() -> tuple[str, ...]:
    """Return the names of the models that are proposed, with the user's own as they are now."""
    return _model_names(own_entries())


@lru_cache(maxsize=2)
def _model_names(_own: tuple[Entry, ...]) -> tuple[str, ...]:
    from gyakusan.python.records import catalog_list

    return tuple(sorted((r.record.name for r in catalog_list("models").records), key=str.casefold))


def device_names() -> tuple[str, ...]:
    """Return the names of the devices and of the complete computers, with the user's own as they are now."""
    return _device_names(own_entries())


@lru_cache(maxsize=2)
def _device_names(_own: tuple[Entry, ...]) -> tuple[str, ...]:
    from gyakusan.python.records import catalog_list

    found = [*catalog_list("devices").records, *catalog_list("machines").records]
    return tuple(dict.fromkeys(r.record.name for r in found))


def engine_names() -> tuple[str, ...]:
    """Return the names of the engines."""
    return tuple(registry.NAMES)


def engine_name(text: str | None) -> str:
    """Return an engine's name for one of its short names, e.g. MLX-LM for mlx; what names none as it stands."""
    try:
        return registry.engine(text or registry.DEFAULT).NAME
    except GyakusanError:
        return text or ""


def startable() -> tuple[str, ...]:
    """Return the names of models whose files are on this computer."""
    from gyakusan.fetching.stock import stock

    return tuple(dict.fromkeys(("smollm2", *(kept.name for kept in stock().models))))
