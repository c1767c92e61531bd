"""The description of the API in OpenAPI 3.1, made of the route table and of the documents' own schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from gyakusan._version import __version__
from gyakusan.documents.schema import schema
from gyakusan.web.routes import ROUTES, ApiRoute

PATH = "/api/v1/openapi.json"
PROBLEM = "application/problem+json"
_FIELD = re.compile(r"^ *(\w+): (.+)$", re.MULTILINE)
_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "What went wrong, by RFC 9457.",
    "required": ["type", "title", "status", "detail", "kind"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "the kind of error in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, in the reader's language"},
        "mend": {"type": ["string", "null"], "description": "what to do about it"},
        "kind": {"type": "string", "description": "name of the exception in Python"},
    },
}
_ERRORS = {
    "400": "The question makes no sense.",
    "404": "Something that it names is unknown.",
    "422": "It needs a file or a network that the page does not open.",
    "429": "Too many questions are being answered.",
    "500": "The answer failed.",
}


@cache
def document() -> bytes:
    """Return the description as JSON."""
    kept = {name: schema(name) for name in sorted({d for route in ROUTES for d in route.documents})}
    paths = {route.path: {"get": _operation(route)} for route in ROUTES}
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "gyakusan",
            "version": __version__,
            "description": "What a model takes, what is best for people, how fast it is. Every answer is that of the "
            "command of the same name with --json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": {**_components(kept), "problem": _PROBLEM_SCHEMA}},
    }
    return json.dumps(found, ensure_ascii=False).encode()


def _components(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of the documents, their parts beside them under names of their own."""
    found: dict[str, Any] = {}
    for name, root in kept.items():
        root = {k: v for k, v in root.items() if k not in ("$schema", "$id")}
        parts = root.pop("$defs", {})
        text = json.dumps({name: root, **{f"{name}.{part}": value for part, value in parts.items()}})
        found |= json.loads(re.sub(r'"#/\$defs/([^"]+)"', rf'"#/components/schemas/{name}.\1"', text))
    return found


def _operation(route: ApiRoute) -> dict[str, Any]:
    refs = [{"$ref": f"#/components/schemas/{name}"} for name in route.documents]
    one = refs[0] if len(refs) == 1 else {"anyOf": refs}
    answer = {"type": "array", "items": one} if route.listed else one
    problem = {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/problem"}}}}
    return {
        "operationId": route.name,
        "summary": route.about,
        "parameters": [*parameters(route.query), _LANGUAGE],
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}},
            **{status: {"description": text, **problem} for status, text in _ERRORS.items()},
        },
    }


_LANGUAGE = {
    "name": "lang",
    "in": "query",
    "description": "language of the sentences",
    "schema": {"enum": ["en", "ja"]},
}


def parameters(kind: type[Struct]) -> Iterable[dict[str, Any]]:
    """Yield the description of each parameter of a question."""
    texts = dict(_FIELD.findall(kind.__doc__ or ""))
    shape = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    for name, value in shape.items():
        yield {"name": name, "in": "query", "description": texts[name], "schema": _without_null(value)}


def _without_null(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter: one that is left out is absent, not null."""
    options = [o for o in value.get("anyOf", ()) if o.get("type") != "null"]
    if options:
        return {**options[0], **({} if value.get("default") is None else {"default": value["default"]})}
    kept = {k: v for k, v in value.items() if not (k == "default" and v is None)}
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [v for v in kept["enum"] if v is not None]
    return kept
