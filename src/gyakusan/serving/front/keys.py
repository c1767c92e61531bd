"""The keys that clients may show: kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

OWNER = "owner"
"""Name of the key that a server was started with."""
_BEARER = b"bearer "


def hashed(key: str) -> str:
    """Return what is kept of a key: its SHA-256. Our keys have 256 random bits, so that a slow hash adds nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of an endpoint; without any, everybody on this computer may ask.

    hashes: name of each key and its hash
    """

    hashes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(key: str | None) -> Keys:
        """Return the one key of a server, or none."""
        return Keys({} if key is None else {OWNER: hashed(key)})

    def __bool__(self) -> bool:
        """Return True if a key is needed."""
        return bool(self.hashes)

    def owner(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Return the name of the key that a request shows, None for none of ours. All keys are compared, each in full."""
        shown = shown_key(headers)
        if shown is None:
            return None
        digest = hashlib.sha256(shown).hexdigest()
        found = None
        for name, known in self.hashes.items():
            if hmac.compare_digest(digest, known):
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
