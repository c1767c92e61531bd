"""The releases that `gyakusan catalog update` has kept, which of them is in use, and the ways back.

A release that is damaged, not signed or too small is passed by: the catalogue of this version is used, and one line says so.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from functools import cache
from pathlib import Path

from gyakusan.catalog import places
from gyakusan.catalog.compile import is_fresh
from gyakusan.catalog.places import RELEASE
from gyakusan.catalog.release_stamp import MANIFEST, MOST_MANIFEST, SIGNATURE, Stamp, check_content, read_file
from gyakusan.doors.notices import notice
from gyakusan.errors import GyakusanError, SourceError
from gyakusan.message import Message, say
from gyakusan.patterns import late

CHOSEN, BUILT_IN = "chosen", "built-in"
"""File that names the release in use, and its text for the catalogue of this version."""
KEPT = 3
"""Releases that stay on the disk."""
WAY_ON = "gyakusan catalog update --built-in"
_NAME = late(r"20\d\d\.\d\d\.\d\d", re.ASCII)


def in_use() -> Path | None:
    """Return the folder of the release in use, None for the catalogue of this version.

    A folder that is not whole is passed by, with a line for the reader.
    """
    try:
        names = tuple(sorted((n for n in os.listdir(places.fetched()) if n[:1].isdecimal()), reverse=True))
    except OSError:
        return None
    return _in_use(places.fetched(), names, chosen()) if names else None


def current() -> str:
    """Return the date of the release in use."""
    folder = in_use()
    return folder.name if folder else RELEASE


def chosen() -> str:
    """Return the release that was chosen, BUILT_IN for that of this version, "" if none was: then the newest is used."""
    try:
        text = read_file(places.fetched() / CHOSEN, 20).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if text == BUILT_IN or _NAME.fullmatch(text) else ""


def choose(release: str) -> None:
    """Use a release from now on: its date, or BUILT_IN. Raises SourceError where it cannot be written."""
    try:
        places.fetched().mkdir(parents=True, exist_ok=True)
        places.write_private(places.fetched() / CHOSEN, release + "\n")
    except OSError as error:
        raise SourceError(
            "{file} cannot be written: {why}.", file=str(places.fetched() / CHOSEN), why=error.strerror or "?",
            mend="Check its permissions and the disk.",
        ) from error  # fmt: skip


def back() -> str:
    """Use the release before the one in use, and return its date: that of this version where none is left."""
    now, newest = current(), ""
    for name in sorted(_kept(), reverse=True):
        if name < now and not _fault(places.fetched() / name):
            newest = name
            break
    choose(newest if newest > RELEASE else BUILT_IN)
    return max(newest, RELEASE)


def prune() -> None:
    """Remove all but the newest releases, and the one in use."""
    stay = {chosen(), *sorted(_kept())[-KEPT:]}
    for name in _kept():
        if name not in stay:
            shutil.rmtree(places.fetched() / name, ignore_errors=True)


def forget() -> None:
    """Look at the folders again."""
    _in_use.cache_clear()


def _kept() -> list[str]:
    try:
        return [n for n in os.listdir(places.fetched()) if _NAME.fullmatch(n)]
    except OSError:
        return []


@cache
def _in_use(folder: Path, names: tuple[str, ...], choice: str) -> Path | None:
    """Return the first folder that is whole, of those that may be used. names: newest first."""
    if choice == BUILT_IN:
        return None
    for name in names:
        asked = name == choice
        if (choice and name > choice) or (name <= RELEASE and not asked):
            continue
        why = _fault(folder / name)
        if why is None:
            return folder / name
        notice(
            say("{folder} is not used: {why} The way on: {command}", folder=str(folder / name), why=why, command=WAY_ON)
        )
        if asked and name <= RELEASE:
            break
    return None


def _fault(folder: Path) -> Message | None:
    """Return why the folder of a release cannot be used, None if it can. Files that changed are written anew."""
    stamp = Stamp.read(folder) if _NAME.fullmatch(folder.name) else None
    try:
        signed = [read_file(folder / name, MOST_MANIFEST) for name in (MANIFEST, SIGNATURE)]
    except OSError:
        return say("it is not a signed release.")
    if stamp is None:
        return say("it is not a signed release.")
    try:
        if Stamp.of(signed[0], signed[1], stamp.key) != stamp or not is_fresh(folder):
            from gyakusan.catalog.release import restore

            restore(folder, stamp.key)
        check_content(folder)
    except GyakusanError as error:
        return error.message
    except (OSError, sqlite3.Error):
        return say("it is damaged.")
    return None
