"""Writes YAML that a person can read: strings are quoted as JSON, which YAML reads the same, so nothing is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def documents(*values: Mapping[str, Any]) -> str:
    """Return several documents as one text."""
    return "---\n".join("\n".join(lines(value)) + "\n" for value in values)


def lines(value: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the lines of a mapping. depth: of its indent."""
    indent = "  " * depth
    for name, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield f"{indent}{_scalar(name)}:"
            yield from lines(inner, depth + 1)
        elif _is_block(inner):
            yield f"{indent}{_scalar(name)}:"
            yield from _items(inner, depth)
        else:
            yield f"{indent}{_scalar(name)}: {_flow(inner)}"


def _items(values: Sequence[Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for item in values:
        if isinstance(item, Mapping) and item:
            first, *rest = lines(item, depth + 1)
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {_flow(item)}"


def _is_block(value: object) -> bool:
    """Return True for a list that reads better with a line for each entry."""
    return isinstance(value, list | tuple) and bool(value) and (
        any(isinstance(v, Mapping) for v in value) or len(value) > 4
    )  # fmt: skip


def _flow(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _scalar(text: str) -> str:
    """Return a string bare where no reader of YAML can take it for another thing, else quoted."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
