"""Read hyper-parameters by their GGUF names, with errors that name the key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct

from gyakusan.errors import Malformed

LIMIT = 2**31
"""No width, count or length of a real model reaches this."""
BLOCKS = 512
"""llama.cpp loads no more (LLAMA_MAX_LAYERS, b11434); bounds the work that damaged metadata can ask for."""
WIDE = 2**26
"""No layer of a real model keeps as many values."""
OWN = "gyakusan."
"""Prefix of keys that are in no GGUF file: what a config.json says and GGUF shows only by which tensors it holds."""


class Metadata(Struct, frozen=True, dict=True):
    """The GGUF key-values of one model; `architecture` prefixes most keys.

    values: the key-values
    names: names of the file's tensors, empty if unknown
    """

    values: Mapping[str, Any]
    names: frozenset[str] = frozenset()

    @cached_property
    def architecture(self) -> str:
        """Return general.architecture. Raises Malformed."""
        found = self.values.get("general.architecture")
        if not isinstance(found, str) or not found:
            raise Malformed("The file has no architecture.", mend="It needs the key general.architecture.")
        return found

    @cached_property
    def blocks(self) -> int:
        """Return block_count. Raises Malformed outside of 1 to BLOCKS."""
        count = self.positive("block_count")
        if count > BLOCKS:
            raise self.bad("block_count", count)
        return count

    @cached_property
    def _flags(self) -> dict[str, tuple[bool, ...] | None]:
        """What `flags` has returned: each block of a model asks for the same."""
        return {}

    @cached_property
    def _series(self) -> dict[tuple[str, int | None], tuple[int, ...]]:
        """What `series` has returned."""
        return {}

    def get(self, key: str) -> Any:
        """Return the raw value of `<architecture>.<key>`, or None."""
        return self.values.get(f"{self.architecture}.{key}")

    def stated(self, key: str, default: bool = False) -> bool:
        """Return a truth value of our own, `gyakusan.<key>`."""
        return bool(self.values.get(OWN + key, default))

    def holds(self, suffix: str) -> bool:
        """Return True if the file has the tensor `suffix` in its first block, or the tensor of that name. Needs `names`."""
        return suffix in self.names or f"blk.0.{suffix}" in self.names

    def number(self, key: str, default: int | None = None) -> int:
        """Return a whole number >= 0. Raises Malformed if it is absent without a default, or no such number."""
        value = self.get(key)
        if value is None:
            value = default
        if isinstance(value, (list, tuple)) and value and all(v == value[0] for v in value):
            value = value[0]
        return self._checked(key, value)

    def positive(self, key: str, default: int | None = None) -> int:
        """Return a whole number > 0. Raises Malformed."""
        value = self.number(key, default)
        if value == 0:
            raise self.bad(key, value)
        return value

    def series(self, key: str, default: int | None = None) -> tuple[int, ...]:
        """Return one whole number >= 0 for each block: an array in the file, or one number for all. Raises Malformed."""
        found = self._series.get((key, default))
        if found is None:
            found = self._series[key, default] = self._each(key, default)
        return found

    def _each(self, key: str, default: int | None) -> tuple[int, ...]:
        value = self.get(key)
        if value is None:
            value = default
        count = self.blocks
        if not isinstance(value, (list, tuple)):
            return (self._checked(key, value),) * count
        if len(value) < count:
            raise self.bad(key, f"{len(value)} values for {count} blocks")
        return tuple(self._checked(key, v) for v in value[:count])

    def flags(self, key: str) -> tuple[bool, ...] | None:
        """Return one truth value for each block, None if the key is no array; absent blocks are False."""
        if key not in self._flags:
            self._flags[key] = self._truths(key)
        return self._flags[key]

    def _truths(self, key: str) -> tuple[bool, ...] | None:
        value = self.get(key)
        if not isinstance(value, (list, tuple)):
            return None
        if not all(isinstance(v, (bool, int)) for v in value[: self.blocks]):
            raise self.bad(key, value)
        return (*(bool(v) for v in value[: self.blocks]), *(False,) * (self.blocks - len(value)))

    def bad(self, key: str, value: Any) -> Malformed:
        """Return the Malformed error that names a key and its value."""
        shown = "missing" if value is None else str(value)[:40]
        return Malformed(
            "{key} is {value}.",
            key=f"{self.architecture}.{key}"[:100],
            value=shown,
            mend="The metadata is incomplete or damaged; download the file again.",
        )

    def _checked(self, key: str, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LIMIT:
            raise self.bad(key, value)
        return value
