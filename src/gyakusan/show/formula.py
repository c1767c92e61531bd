"""The words of a formula in the reader's language: engines write formulas in English, with the names of a few quantities."""

from __future__ import annotations

import re
from typing import Any

from gyakusan.message import Message
from gyakusan.show.tree import Words

WORD_TEXTS = (
    "layers", "cells", "users", "values", "tokens", "blocks", "sequences", "cache of one", "copies", "heads", "chunk",
    "context", "inputs", "masks", "vectors", "feed_forward", "attention", "experts", "latent", "compressed", "recurrent",
)  # fmt: skip
"""Quantities in formulas, as the engines name them; units and element types stay as they are."""
COUNTED_TEXTS = {
    "layers": "{number} layers",
    "cells": "{number} cells",
    "users": "{number} users",
    "values": "{number} values",
    "tokens": "{number} tokens",
    "blocks": "{number} blocks",
    "sequences": "{number} sequences",
    "copies": "{number} copies",
    "heads": "{number} heads",
}
"""Quantities with their number before them: each language has its own space there, or none."""
_NUMBER = re.compile(r"(?<![\w.])([\d,.]+) $")
_WORD = re.compile(rf"\b({'|'.join(sorted(map(re.escape, WORD_TEXTS), key=len, reverse=True))})\b")


def formula(text: str) -> Words:
    """Return a formula whose quantities are told in the reader's language; one without any stays data."""
    parts = _WORD.split(text)
    if len(parts) < 2:
        return text
    facts: dict[str, Any] = {}
    for place, part in enumerate(parts):
        counted = COUNTED_TEXTS.get(parts[place + 1]) if place + 1 < len(parts) else None
        number = _NUMBER.search(part) if counted else None
        if place % 2:
            facts.setdefault(f"p{place}", Message(part))
        elif counted and number:
            facts[f"p{place}"] = part[: number.start()]
            facts[f"p{place + 1}"] = Message(counted, {"number": number[1]})
        else:
            facts[f"p{place}"] = part
    return Message("".join(f"{{{name}}}" for name in facts), facts)
