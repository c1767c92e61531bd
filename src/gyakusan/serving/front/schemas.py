"""The cost of a JSON schema, before the server turns it into a grammar and follows it.

The same measure as for grammars: every `$ref` is written out where it is used, so that a small schema that doubles itself
counts what it becomes. Schemas that contain themselves have no such measure and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gyakusan.serving.front.grammars import Cost, check_count, too_costly
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.refusal import Refusal

LONGEST_PATTERN = 400
"""Characters of a pattern."""

_REPEAT = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|(?P<repeat>[*+?]|\{\s*\d*\s*(?:,\s*\d*\s*)?\})", re.DOTALL)
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_SINGLE = ("additionalProperties", "items", "not", "if", "then", "else", "contains", "propertyNames", "additionalItems")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_TABLES = ("properties", "patternProperties")


def check_schema(schema: Any, limits: Limits) -> Cost:
    """Return the cost of a schema. Raises Refusal for one that is too large or too costly."""
    if len(msgspec.json.encode(schema)) > limits.schema:
        raise Refusal(400, "schema_too_large", f"A JSON schema has at most {limits.schema} bytes.")
    return _Walk(schema, limits).cost(schema, 0, ())


class _Walk:
    """One schema, walked with every reference written out; it stops at the first limit, so it is short."""

    def __init__(self, root: Any, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._nodes = 0
        self._repeats = 0

    def cost(self, schema: Any, depth: int, path: tuple[str, ...]) -> Cost:
        """Return the cost so far, with that of `schema`. path: references that lead here."""
        if isinstance(schema, Mapping):
            self._count(1, 0)
            if depth > self._limits.depth:
                raise too_costly("schema", self._limits)
            self._check_numbers(schema)
            self._count(_names(schema), 0)
            if isinstance(pattern := schema.get("pattern"), str):
                self._pattern(pattern)
            if "$ref" in schema:
                self._reference(schema["$ref"], depth, path)
            for part in _parts(schema):
                self.cost(part, depth + 1, path)
        return Cost(self._nodes, self._repeats)

    def _count(self, nodes: int, repeats: int) -> None:
        self._nodes += nodes
        self._repeats += repeats
        if self._nodes > self._limits.nodes or self._repeats > self._limits.repeats:
            raise too_costly("schema", self._limits)

    def _check_numbers(self, schema: Mapping[str, Any]) -> None:
        for name in _COUNTS:
            value = schema.get(name, 0)
            if isinstance(value, int | float) and value > self._limits.repeat:
                raise too_costly("schema", self._limits)

    def _pattern(self, pattern: str) -> None:
        if len(pattern) > LONGEST_PATTERN:
            raise Refusal(400, "schema_too_costly", f"A pattern has at most {LONGEST_PATTERN} characters.")
        for match in _REPEAT.finditer(pattern):
            if repeat := match["repeat"]:
                self._count(1, 1)
                check_count(repeat, self._limits, "pattern")
        self._count(pattern.count("|") + pattern.count("(") + 1, 0)

    def _reference(self, reference: Any, depth: int, path: tuple[str, ...]) -> None:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Refusal(400, "schema_reference", "A $ref of a schema starts with #: this server fetches none.")
        if reference in path or reference == "#":
            text = (
                f'The schema contains itself by "{reference[:80]}": this server follows schemas without recursion only.'
            )
            raise Refusal(400, "schema_recursive", text)
        found = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        self.cost(found, depth + 1, (*path, reference))


def _names(schema: Mapping[str, Any]) -> int:
    """Return how many words a schema lists: names of properties, and values to choose from."""
    values = schema.get("enum")
    properties = schema.get("properties")
    return (len(values) if isinstance(values, list) else 0) + (len(properties) if isinstance(properties, dict) else 0)


def _parts(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the schemas directly in a schema. Definitions count where they are used."""
    yield from (schema[name] for name in _SINGLE if name in schema)
    for name in _LISTS:
        if isinstance(found := schema.get(name), list):
            yield from found
    for name in _TABLES:
        if isinstance(found := schema.get(name), Mapping):
            yield from found.values()
