"""The keys that clients may show: kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

OWNER = "owner"
"""Name of the key that a server was started with."""
_BEARER = b"bearer "


def hashed(key: str) -> str:
    """Return what is kept of a key: its SHA-256. Our keys have 256 random bits, so that a slow hash adds nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyOwner(Protocol):
    """Somebody who has a key."""

    @property
    def hash(self) -> str:
        """Hash of the key."""

    @property
    def requests(self) -> int:
        """Requests that it may make in a minute, 0 for what the server allows everybody."""

    @property
    def tokens(self) -> int:
        """Tokens that it may use in a minute, 0 for what the server allows everybody."""


class KeyOwners(Protocol):
    """The people whose keys are valid now."""

    def people(self) -> Mapping[str, KeyOwner]:
        """Return them by name."""

    def person(self, name: str) -> KeyOwner | None:
        """Return the one of this name, None for nobody."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of an endpoint; without any, everybody on this computer may ask.

    hashes: name of each key and its hash
    owners: people with keys of their own, None if there are none
    """

    hashes: Mapping[str, str] = field(default_factory=dict, repr=False)
    owners: KeyOwners | None = None

    @staticmethod
    def of(key: str | None, owners: KeyOwners | None = None) -> Keys:
        """Return the key that a server was started with, if any, and those of people."""
        return Keys({} if key is None else {OWNER: hashed(key)}, owners)

    def __bool__(self) -> bool:
        """Return True if a key is needed."""
        return bool(self.hashes) or self.owners is not None

    def limits(self, name: str) -> tuple[int, int]:
        """Return how many requests and tokens the key of this name may use in a minute, 0 for what everybody may."""
        person = None if self.owners is None else self.owners.person(name)
        return (0, 0) if person is None else (person.requests, person.tokens)

    def valid(self, name: str) -> bool:
        """Return True while the key of this name is valid: one that was revoked is not, also in the middle of an answer."""
        return name == OWNER or (self.owners is not None and self.owners.person(name) is not None)

    def owner(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Return the name of the key that a request shows, None for none of ours. All keys are compared, each in full."""
        shown = shown_key(headers)
        if shown is None:
            return None
        digest = hashlib.sha256(shown).hexdigest().encode()
        people = {} if self.owners is None else self.owners.people()
        found = None
        for name, known in (*((n, p.hash) for n, p in people.items()), *self.hashes.items()):
            if hmac.compare_digest(digest, known.encode()):  # bytes: a damaged hash may hold other letters
                found = name
        return found


def shown_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the key in a request: `Authorization: Bearer KEY`, or `X-Api-Key: KEY` as Anthropic's clients send it."""
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
        if name == b"x-api-key":
            return value.strip()
    return None
