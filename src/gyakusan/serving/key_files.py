"""The key of servers that are open to the network: made once, kept in files that only their owner can read."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from gyakusan import posix
from gyakusan.catalog.places import write_private
from gyakusan.doors.files import head
from gyakusan.engines.registry import NAMES, engine
from gyakusan.engines.service_files import KeyFiles
from gyakusan.errors import BadSetting, SourceError

LONGEST = 4096
"""No more is read of a file with a key. [B]"""
KEY = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
"""A key that a server takes, too long to guess: characters that a shell, Compose and systemd all read as they stand.

They are those of a bearer token: RFC 6750, section 2.1.
"""


def check_private(path: str | Path) -> None:
    """Raise BadSetting for a key file that other users of this computer can read."""
    try:
        status = os.stat(os.path.expanduser(path))
    except OSError:  # the reader says why
        return
    if stat.S_ISREG(status.st_mode) and posix.open_to_others(status.st_mode):
        raise BadSetting(
            "Other users of this computer can read the key in {path}.",
            path=str(path),
            mend="Make a new key, and let nobody else read it: chmod 600 {path}",
        )


def kept_key(folder: Path) -> KeyFiles:
    """Return the files with the key in a folder, made where they are missing. Raises SourceError.

    The second file sets the variable of every engine that takes a key: for Compose and systemd, which read such files.
    """
    files = KeyFiles(folder / "api-key", folder / "api-key.env")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not files.key.exists():
            write_private(files.key, secrets.token_urlsafe(32) + "\n")
        key = _key_in(files.key)
        names = sorted({engine(name).KEY for name in NAMES} - {""})
        lines = "".join(f"{name}={key}\n" for name in names).encode()
        if not files.variables.exists() or head(files.variables, LONGEST) != lines:
            write_private(files.variables, lines.decode())
        for file in (files.key, files.variables):
            if posix.open_to_others(file.stat().st_mode):
                file.chmod(0o600)
    except OSError as error:
        raise SourceError(
            "The key cannot be kept in {folder}: {problem}",
            folder=str(folder),
            problem=error.strerror or str(error),
            mend="Set XDG_CONFIG_HOME to a folder that you can write.",
        ) from error
    return files


def _key_in(file: Path) -> str:
    """Return the key in a file. Raises SourceError for what no server should be opened with, and OSError."""
    key = head(file, LONGEST).decode("ascii", "replace").strip()
    if KEY.fullmatch(key) is None:
        raise SourceError(
            "{file} holds no key: it needs one line of at least 16 characters, only letters, digits and ._~+/=-.",
            file=str(file),
            mend="Delete the file for a new key, or write a key into it.",
        )
    return key
