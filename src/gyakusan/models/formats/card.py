"""Read a model card: the facts at the head of a repository's README.md, between two lines of "---".

They are YAML, of which this reads what model cards use: texts, and lists in one line or in several.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = "README.md"
LONGEST = 4 * 1024 * 1024
"""Longest README.md. [B]"""
LINES = 2000
"""Longest head. [lines]"""
ITEMS = 500
_KEY = re.compile(r"([A-Za-z_][\w-]{0,60}):(?:\s+(.*))?$")
_ITEM = re.compile(r"\s*-\s+(.+)$")


def facts(raw: bytes) -> Mapping[str, tuple[str, ...]]:
    """Return the texts of each key of the head; {} if there is no head. What is no text or list of texts is left out."""
    lines = raw[:LONGEST].decode("utf-8-sig", "replace").splitlines()[: LINES + 1]
    if not lines or lines[0].strip() != "---":
        return {}
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines[1:]:
        if line.strip() in ("---", "..."):
            return {k: tuple(v) for k, v in found.items() if v}
        if named := _KEY.match(line):
            key = named[1]
            found[key] = _values(named[2] or "")
        elif (item := _ITEM.match(line)) and key and len(found[key]) < ITEMS:
            found[key] += [value for value in (_plain(item[1]),) if value]
    return {}


def _values(text: str) -> list[str]:
    """Return the values on the line of a key."""
    text = _plain(text)
    if text.startswith("[") and text.endswith("]"):
        return [value for part in text[1:-1].split(",")[:ITEMS] if (value := _plain(part))]
    return [] if not text or text[0] in "|>{&*!" else [text]


def _plain(text: str) -> str:
    """Return a text without comment and quotes."""
    text = re.sub(r"(?:^|\s)#.*$", "", text).strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return "".join(c for c in text if c.isprintable())[:200]
