"""The JSON of `gyakusan keys`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.serving.front.people import Person


class PersonKeyJson(Struct, frozen=True, kw_only=True):
    """A key of a person; the key itself is kept nowhere.

    name: of the person or program
    made: day on which the key was made, ISO 8601
    until: last day on which it is valid, null for no end
    requests_per_minute: that it may make in a minute, 0 for what the server allows everybody
    tokens_per_minute: that it may use in a minute, prompts and answers together, 0 for what the server allows everybody
    """

    name: str
    made: str
    until: str | None
    requests_per_minute: int
    tokens_per_minute: int


class KeysJson(Struct, frozen=True, kw_only=True):
    """The keys of people: `gyakusan keys list`.

    schema: name and version of this form
    catalogue: date of the catalogue
    keys: in the order in which they were made
    """

    keys: tuple[PersonKeyJson, ...]
    schema: Literal["gyakusan/keys/1"] = "gyakusan/keys/1"
    catalogue: str = field(default_factory=catalogue_date)


class KeyMadeJson(Struct, frozen=True, kw_only=True):
    """A key that was made: `gyakusan keys add`.

    schema: name and version of this form
    catalogue: date of the catalogue
    name: of the person or program
    key: shown this once; only its hash is kept
    """

    name: str
    key: str
    schema: Literal["gyakusan/key-made/1"] = "gyakusan/key-made/1"
    catalogue: str = field(default_factory=catalogue_date)


def keys(found: Sequence[Person]) -> KeysJson:
    """Return the keys of people."""
    return KeysJson(
        keys=tuple(
            PersonKeyJson(
                name=p.name,
                made=p.made.isoformat(),
                until=None if p.until is None else p.until.isoformat(),
                requests_per_minute=p.requests,
                tokens_per_minute=p.tokens,
            )
            for p in found
        )
    )
