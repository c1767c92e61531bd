"""What a record's source says, in the reader's language: addresses and names stay, our own words are told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from gyakusan.message import Message
from gyakusan.patterns import late
from gyakusan.show.source_notes import DEVICE_NOTE_TEXTS, MODEL_NOTE_TEXTS, PRICE_NOTE_TEXTS

PRODUCT_TEXTS = (
    "BTO PC with {device}",
    "gaming PC, {parts}",
    "{name} model ({device})",
    "{device} gaming laptop PC",
    "Desktop with {memory}, dual channel",
    "Desktop with an {device}",
    "Desktop with two {device}",
    "Server with four {device}",
    "Workstation with four {device}",
    "{device} platform",
)
"""Names of computers that are no proper names: in the catalogue they are typed, on other screens they are told."""
_NOTES = (*MODEL_NOTE_TEXTS, *DEVICE_NOTE_TEXTS, *PRICE_NOTE_TEXTS)
_NESTED = frozenset({"source", "other"})
"""Fields that are a source of their own, which may have notes."""
_PARTS = late(r"; (?![^()]*\))")
"""Between two notes, outside brackets."""
_SOLD = late(r"(?P<product>.+?): (?P<source>https?://.+|" + "|".join(map(re.escape, PRICE_NOTE_TEXTS)) + ")")
"""A product, and where its price stands."""


def source_words(text: str) -> Message:
    """Return a source: its notes in the reader's language, what is no note of ours as it stands."""
    first, *more = _PARTS.split(text)
    if more:
        rest = source_words(text.removeprefix(f"{first}; "))
        return Message("{first}; {rest}", {"first": _note(first), "rest": rest})
    return _note(first)


def product_words(text: str) -> Message:
    """Return what is sold: a proper name as it stands."""
    return _told(text, PRODUCT_TEXTS) or _as_it_stands(text)


def licence_words(text: str) -> Message:
    """Return a licence as it stands, "?" for none; of two that hold at once both names."""
    first, both, second = text.partition(" and ")
    return Message("{first} and {second}", {"first": first, "second": second}) if both else _as_it_stands(text or "?")


def _note(text: str) -> Message:
    if told := _told(text, _NOTES):
        return told
    if sold := _SOLD.fullmatch(text):
        facts = {"product": product_words(sold["product"]), "source": _note(sold["source"])}
        return Message("{product}: {source}", facts)
    return _as_it_stands(text)


def _told(text: str, templates: tuple[str, ...]) -> Message | None:
    for template, pattern in _patterns(templates):
        if match := pattern.fullmatch(text):
            facts: dict[str, Any] = match.groupdict()
            return Message(template, {k: _note(v) if k in _NESTED else v for k, v in facts.items()})
    return None


@cache
def _patterns(templates: tuple[str, ...]) -> Iterable[tuple[str, re.Pattern[str]]]:
    """Return each template with its pattern, the one with the most words first."""
    by_words = sorted(templates, key=lambda t: len(re.sub(r"\{\w+\}", "", t)), reverse=True)
    return [(t, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(t)))) for t in by_words]


def _as_it_stands(text: str) -> Message:
    return Message("{text}", {"text": text})
