"""What a record's source says, in the reader's language: addresses and names stay, our own words are told."""

from __future__ import annotations

import re
from typing import Any

from gyakusan.message import Message

NOTE_TEXTS = (
    "GGUF metadata of the published model",
    "published counts agree",
    "its tensors add up to the hub's count of parameters",
    "parameters and tag sizes agree",
    "hyper-parameters as published on the Hugging Face hub",
    "config.json of the published model, recalled",
    "product page of the maker, recalled",
    "no longer made, so taken as used",
    "{source}, shape from the Hugging Face hub",
    "{source}, hyper-parameters from the Hugging Face hub, the rest recalled",
    "{source}, hyper-parameters from the Hugging Face hub",
    "{source}: launch price, rounded (of a computer with it, which is not stated)",
    "{source}: launch price, rounded",
    "{source} (through {other})",
    "{source} (new and used mixed; no longer made, so taken as used)",
    "{source} (new and used mixed)",
    "{source} (lowest price)",
    "{source} (date of the page unknown)",
    "{source} via {other}",
    "Qiita guide to local LLMs, 2025-12-09 (cheapest, size not stated)",
    "Qiita guide to local LLMs, 2025-12-09 (64 or 128 GB, not stated)",
    "recalled: a model of the same architecture as {model}",
    "same architecture as {model}",
    "released: hub list of {source}",
    "license: hub list of {source}",
    "languages: hub list of {source}",
    "languages, released: hub list of {source}",
    "license, released: hub list of {source}",
    "languages, license, released: hub list of {source}",
    "languages, license: hub list of {source}",
)
"""Notes that sources are made of, the longer of two that match first."""
PRODUCT_TEXTS = ("BTO PC with {device}", "gaming PC, {parts}")
_PARTS = re.compile(r"; (?![^()]*\))")
"""Between two notes, outside brackets."""


def source_words(text: str) -> Message:
    """Return a source: its notes in the reader's language, what is no note of ours as it stands."""
    parts = [_told(part, NOTE_TEXTS) for part in _PARTS.split(text)]
    facts = {f"p{place}": part for place, part in enumerate(parts)}
    return Message("; ".join(f"{{{name}}}" for name in facts), facts)


def product_words(text: str) -> Message:
    """Return what is sold: a proper name as it stands."""
    return _told(text, PRODUCT_TEXTS)


def _told(text: str, templates: tuple[str, ...]) -> Message:
    for template in templates:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template))
        if match := re.fullmatch(pattern, text):
            facts: dict[str, Any] = match.groupdict()
            return Message(template, facts)
    return Message("{text}", {"text": text})
