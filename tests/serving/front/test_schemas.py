"""Schemas that people send pass; those that would keep the server busy do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.refusal import Refusal
from gyakusan.serving.front.schemas import check_schema

LIMITS = Limits()


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for i in range(1, levels):
        defs[f"d{i}"] = {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{i - 1}"}] * 2}
    return {"$ref": f"#/$defs/d{levels - 1}", "$defs": defs}


ORDER = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 200},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        "date": {"type": "string", "format": "date"},
        "kind": {"enum": ["new", "used", "broken"]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 100},
        "next": {"anyOf": [{"$ref": "#/$defs/item"}, {"type": "null"}]},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"item": {"type": "object", "properties": {"n": {"type": "integer"}, "price": {"type": "number"}}}},
}


@pytest.mark.parametrize(
    "schema",
    [ORDER, {}, True, None, {"type": "object"}, nested(10), doubling(8), {"enum": ["x"] * 1000}],
    ids=["order", "anything", "true", "null", "object", "nested", "doubled", "enum"],
)
def test_what_people_send(schema: Any) -> None:
    check_schema(schema, LIMITS)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string", "pattern": "^(" + "(a|b)*" * 100 + ")$"}, "schema_too_costly"),
        ({"type": "string", "pattern": "^(" + "(a|b)*" * 40 + ")$"}, "schema_too_costly"),
        ({"type": "string", "pattern": "^" + "a?" * 60 + "$"}, "schema_too_costly"),
        ({"type": "string", "pattern": "^[a-z]{1,100000}$"}, "schema_too_costly"),
        ({"type": "string", "pattern": "^a{99999999999999999999}$"}, "schema_too_costly"),
        ({"type": "string", "maxLength": 10**9}, "schema_too_costly"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 5000}, "schema_too_costly"),
        ({"type": "object", "properties": {f"p{i}": {"pattern": "^a*$"} for i in range(50)}}, "schema_too_costly"),
        (nested(200), "schema_too_costly"),
        (doubling(30), "schema_too_costly"),
        ({"enum": [str(i) for i in range(5000)]}, "schema_too_costly"),
        ({"anyOf": [{"const": i} for i in range(3000)]}, "schema_too_costly"),
        ({"type": "string", "description": "x" * 100_000}, "schema_too_large"),
        ({"$ref": "#"}, "schema_recursive"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "schema_recursive"),
        ({"$ref": "https://example.org/schema.json"}, "schema_reference"),
        ({"$ref": 7}, "schema_reference"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_would_stop_the_others(schema: Any, kind: str) -> None:
    """F5: a schema of 776 bytes stopped everybody for minutes."""
    with pytest.raises(Refusal) as caught:
        check_schema(schema, LIMITS)
    assert (caught.value.status, caught.value.kind) == (400, kind)


def test_a_reference_with_escapes() -> None:
    schema = {"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": {"type": "string", "maxLength": 10**9}}}
    with pytest.raises(Refusal):
        check_schema(schema, LIMITS)
    assert check_schema({"$ref": "#/$defs/none"}, LIMITS).nodes == 1


def test_parts_are_counted_where_they_are_used() -> None:
    once = check_schema(json.loads(json.dumps(ORDER)), LIMITS)
    assert once.nodes > 15
    assert once.repeats == 2
