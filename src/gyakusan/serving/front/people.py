"""Keys for people: made once, shown once, and kept as hashes in one private file that a running front reads again."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from gyakusan import posix
from gyakusan.catalog.places import settings, write_private
from gyakusan.doors import files
from gyakusan.errors import BadReference, BadSetting, GyakusanError, SourceError, did_you_mean
from gyakusan.message import quoted
from gyakusan.serving.front.keys import OWNER, hashed

LARGEST = 4 * 2**20
"""No more is read of the file. [B]"""
MOST = 10_000
"""People who can have a key: each request is compared with all."""
LONGEST = 64
"""Most characters of a name."""
NAME = re.compile(rf"(?![.-])[\w.@+-]{{1,{LONGEST}}}")
"""A name that is a word of a shell, e.g. aiko or aiko@example.org."""
LOOK = 1.0
"""A revoked key is refused after so long at the latest. [s]"""


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who has a key.

    name: of the person or program
    hash: of the key, SHA-256
    made: day on which the key was made
    until: last day on which it is valid, None for no end
    requests: that it may make in a minute, 0 for what the server allows everybody
    tokens: that it may use in a minute, prompts and answers together, 0 for what the server allows everybody
    """

    name: str
    hash: str
    made: date
    until: date | None = None
    requests: int = 0
    tokens: int = 0

    def valid(self, today: date) -> bool:
        """Return True until the end of the last day of the key."""
        return self.until is None or today <= self.until


class KeyFile(Struct, frozen=True, kw_only=True):
    """What the file holds.

    schema: name and version of this form
    people: in the order in which their keys were made
    """

    schema: Literal["gyakusan/people/1"] = "gyakusan/people/1"
    people: tuple[Person, ...] = ()


def place() -> Path:
    """Return the file of the keys: $XDG_CONFIG_HOME/gyakusan/people.json, usually ~/.config/gyakusan/people.json."""
    return settings() / "people.json"


def read(path: Path) -> tuple[Person, ...]:
    """Return the people with a key; none without the file. Raises SourceError for a file that holds something else."""
    if files.stamp(path) is None:
        return ()
    _check_private(path)
    try:
        found = msgspec.json.decode(files.whole(path, LARGEST), type=KeyFile).people
        if len(found) > MOST or any(not _is_name(p.name) or p.requests < 0 or p.tokens < 0 for p in found):
            raise ValueError
    except (GyakusanError, msgspec.MsgspecError, ValueError, RecursionError):
        raise SourceError(
            "{file} does not hold the keys of people.", file=str(path),
            mend="Restore it, or move it away and make the keys anew: gyakusan keys add NAME",
        ) from None  # fmt: skip
    return found


def add(name: str, *, until: date | None = None, requests: int = 0, tokens: int = 0, today: date) -> str:
    """Return a new key for a person; only its hash is kept. Raises BadSetting, SourceError."""
    _check_name(name)
    if until is not None and until < today:
        raise BadSetting("A key until {until} would never be valid.", until=str(until), mend="Give a later day.")
    key = secrets.token_urlsafe(32)
    with _changing() as known:
        if any(p.name == name for p in known):
            raise BadSetting("{name} has a key already.", name=name, mend="For a new one: gyakusan keys revoke {name}")
        if len(known) >= MOST:
            raise BadSetting("{most} people have keys.", most=f"{MOST:,}", mend="Revoke some: gyakusan keys list")
        new = Person(name=name, hash=hashed(key), made=today, until=until, requests=requests, tokens=tokens)
        _write((*known, new))
    return key


def revoke(name: str) -> Person:
    """Remove a key, and return whose it was. Raises BadReference, SourceError."""
    with _changing() as known:
        found = next((p for p in known if p.name == name), None)
        if found is None:
            near = ", ".join(did_you_mean(name, [p.name for p in known]) or [p.name for p in known][:5])
            raise BadReference(
                "{name} has no key.",
                name=quoted(name, 80, mark='"'),
                near=near,
                mend="These have one: {near}. All of them: gyakusan keys list"
                if known
                else "Nobody has a key yet: gyakusan keys add NAME",
            )
        _write(tuple(p for p in known if p is not found))
    return found


def _check_private(path: Path) -> None:
    """Raise SourceError for a file that others may change: whoever does lets themselves in."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        if posix.user() is None:  # Windows has no such modes
            return
        if status.st_mode & 0o022 or status.st_uid not in (posix.user(), 0):
            raise SourceError(
                "Other users of this computer can change the keys in {file}.", file=str(path),
                mend="Look through it, then let nobody else write: chmod 600 {file}",
            )  # fmt: skip


def _check_name(name: str) -> None:
    """Raise BadSetting for a name that no owner of a key can have; it says which rule is broken."""
    if _is_name(name):
        return
    shown = quoted(name if len(name) <= 80 else name[:77] + "...", mark='"')
    if len(name) > LONGEST:
        raise BadSetting(
            "{name} cannot name the owner of a key: it has {n} characters.", name=shown, n=len(name), most=LONGEST,
            mend="Use at most {most}.",
        )  # fmt: skip
    if name == OWNER:
        raise BadSetting(
            "{name} cannot name the owner of a key: it is the name for the server's own key.", name=shown,
            mend="Use another name, e.g. aiko@example.org.",
        )  # fmt: skip
    raise BadSetting(
        "{name} cannot name the owner of a key.", name=shown,
        mend=(
            "Use letters of any script, digits and . _ @ + -, with no . or - at the beginning, e.g. aiko@example.org."
        ),
    )  # fmt: skip


def _is_name(name: str) -> bool:
    return name != OWNER and NAME.fullmatch(name) is not None


@contextlib.contextmanager
def _changing() -> Iterator[tuple[Person, ...]]:
    """Yield the people with a key; nobody else changes them meanwhile. Raises SourceError."""
    path = place()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with posix.locked(path.with_suffix(".lock")):
            yield read(path)
    except OSError as error:
        raise SourceError(
            "The keys cannot be kept in {file}: {problem}", file=str(path), problem=error.strerror or "?",
            mend="Make room on the disk, or set XDG_CONFIG_HOME to a folder that you can write.",
        ) from error  # fmt: skip


def _write(people: tuple[Person, ...]) -> None:
    text = msgspec.json.format(msgspec.json.encode(KeyFile(people=people)).decode(), indent=1)
    write_private(place(), text + "\n")


class PeopleKeys:
    """The keys of a file, as they are now: looked at again when the file has changed.

    A file that is gone or that holds something else lets nobody in.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._path = path
        self._clock = clock
        self._today = today
        self._looked = -LOOK
        self._stamp: tuple[int, int] | None = None
        self._people: Mapping[str, Person] = {}

    def people(self) -> Mapping[str, Person]:
        """Return the people whose keys are valid, by name."""
        self._refresh()
        today = self._today()
        return {name: p for name, p in self._people.items() if p.valid(today)}

    def person(self, name: str) -> Person | None:
        """Return somebody whose key is valid, None for nobody of this name."""
        self._refresh()
        found = self._people.get(name)
        return found if found is not None and found.valid(self._today()) else None

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._looked >= LOOK:
            self._looked = now
            self._look()

    def _look(self) -> None:
        stamp = files.stamp(self._path)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            self._people = {p.name: p for p in read(self._path)}
        except GyakusanError:  # it is looked at again: what kept it from being read may pass
            self._people, self._stamp = {}, None
        else:
            self._stamp = stamp
