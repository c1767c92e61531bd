"""Bounded caches of what was computed from a model or an answer, outside the frozen value itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar
from weakref import ref

T = TypeVar("T")
MODELS = 1024
"""Models that one cache remembers at most: more than the catalogue has."""


class Memo(Generic[T]):
    """Results of one computation for each model and key, or for each other value that can be referred to weakly.

    They end with the model. A cache holds at most `maxsize` of them for each model, and drops the oldest first.
    Models are told apart by identity: to hash their thousand tensors would take longer than most computations.
    """

    __slots__ = ("_lock", "_maxsize", "_models")

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._models: dict[int, tuple[ref[object], dict[Hashable, T]]] = {}
        self._lock = Lock()

    def get(self, model: object, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result kept for `model` and `key`, else compute and keep it. The key names all else it depends on."""
        entry = self._models.get(id(model))
        if entry is None:
            entry = self._enter(model)
        results = entry[1]
        try:
            return results[key]
        except KeyError:
            result = compute()
        with self._lock:
            while len(results) >= self._maxsize:
                del results[next(iter(results))]
            results[key] = result
        return result

    def _enter(self, model: object) -> tuple[ref[object], dict[Hashable, T]]:
        models, number = self._models, id(model)
        entry = ref(model, lambda _: models.pop(number, None)), dict[Hashable, T]()
        with self._lock:
            while len(models) >= MODELS:
                del models[next(iter(models))]
            models[number] = entry
        return entry

    def clear(self) -> None:
        """Forget every result."""
        self._models.clear()

    def __len__(self) -> int:
        return sum(len(results) for _, results in self._models.values())
