"""Documents against their JSON Schemas."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from gyakusan.documents.schema import schema


def valid(document: Any) -> Any:
    """The same document, or list of documents. Fails if its schema does not accept it."""
    for one in document if isinstance(document, list) else [document]:
        name = one["schema"].removeprefix("gyakusan/").removesuffix("/1")
        errors = [f"{error.json_path}: {error.message[:200]}" for error in _validator(name).iter_errors(one)]
        assert errors == []
    return document


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**schema(name), "unevaluatedProperties": False})
