"""Parse JSON from an unknown source: bounded in size, breadth and depth; a key may not occur twice."""

from __future__ import annotations

import json
from typing import Any

from gyakusan.errors import Malformed
from gyakusan.message import Message, say

DEPTH = 64
BRACKETS = 200_000
"""Most objects and arrays, and so most memory. Quantisation settings for each tensor reach 10^4."""
ITEMS = 2_000_000
DIGITS = 40
"""Most digits of a whole number."""
_MEND = "The file is damaged or of another kind than its name says: download it again."


def loads(raw: bytes, name: str, brackets: int = BRACKETS) -> Any:
    """Return the value in `raw`, which comes from the file `name`. brackets: most objects and arrays. Raises Malformed."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise bad(name, say("the key {key} occurs twice", key=repr(twice[:80])))
        return found

    def whole(digits: str) -> int:
        if len(digits) > DIGITS:
            raise bad(name, say("a number has {n} digits", n=len(digits)))
        return int(digits)

    if raw.count(b"[") + raw.count(b"{") > brackets or raw.count(b",") > ITEMS:
        raise bad(name, say("too many values"))
    try:
        found = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=once, parse_int=whole)
    except RecursionError:
        raise bad(name, say("nested too deeply")) from None
    except UnicodeDecodeError as error:
        raise bad(name, say("byte {at} is not UTF-8", at=error.start)) from None
    except json.JSONDecodeError as error:
        raise bad(
            name, say("line {line}, column {column}: {why}", line=error.lineno, column=error.colno, why=line(error.msg))
        ) from None
    if _depth(found) > DEPTH:
        raise bad(name, say("nested too deeply"))
    return found


def bad(name: str, why: Message) -> Malformed:
    """Return the error for the file `name`. why: half a sentence."""
    return Malformed("{file} cannot be read as JSON: {why}.", file=name, why=why, mend=_MEND)


def line(text: str) -> str:
    """Return a parser's message on one short line."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200].rstrip(". ")


def _depth(value: Any) -> int:
    """Return the levels of nesting, counted up to one more than DEPTH."""
    level = [value]
    for depth in range(DEPTH + 1):
        level = [v for each in level if isinstance(each, (dict, list)) for v in _inside(each)]
        if not level:
            return depth
    return DEPTH + 1


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
