"""The words of a formula in the reader's language: engines write formulas in English, with the names of a few quantities."""

from __future__ import annotations

import re

from gyakusan.message import Message
from gyakusan.show.tree import Words

WORD_TEXTS = (
    "layers", "cells", "users", "values", "tokens", "blocks", "sequences", "cache of one", "copies", "heads", "chunk",
    "context", "inputs", "masks", "vectors", "feed_forward", "attention", "experts", "latent", "compressed", "recurrent",
)  # fmt: skip
"""Quantities in formulas, as the engines name them; units and element types stay as they are."""
_WORD = re.compile(rf"\b({'|'.join(sorted(map(re.escape, WORD_TEXTS), key=len, reverse=True))})\b")


def formula(text: str) -> Words:
    """Return a formula whose quantities are told in the reader's language; one without any stays data."""
    parts = _WORD.split(text)
    if len(parts) < 2:
        return text
    facts = {f"p{i}": Message(part) if i % 2 else part for i, part in enumerate(parts)}
    return Message("".join(f"{{{name}}}" for name in facts), facts)
