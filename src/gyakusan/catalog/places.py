"""Folders: of records (ours, the user's own, a newer release that was fetched), and of what is kept for the user."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path

from gyakusan import posix
from gyakusan.errors import SourceError

DATA = Path(__file__).parent / "data"
"""The records that came with this version."""
RELEASE = "2026.11.23"
"""Date of these records. A fetched release counts if its date is later, or if it was asked for."""


def own() -> Path:
    """Return the folder of the user's own records: $XDG_CONFIG_HOME/gyakusan/catalog, usually ~/.config/gyakusan/catalog."""
    return _home("XDG_CONFIG_HOME", ".config", "gyakusan", "catalog")


def own_files() -> tuple[Path, ...]:
    """Return the user's own files in order of their names. Raises SourceError for a folder that cannot be read."""
    try:
        return tuple(sorted(Path(own(), n) for n in os.listdir(own()) if n.endswith(".toml")))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise SourceError(
            "{file} cannot be read: {why}.",
            file=str(own()),
            why=error.strerror or "?",
            mend="Check its permissions and the disk.",
        ) from error


def fetched() -> Path:
    """Return the folder of fetched releases: $XDG_DATA_HOME/gyakusan/catalog, usually ~/.local/share/gyakusan/catalog."""
    return _home("XDG_DATA_HOME", ".local/share", "gyakusan", "catalog")


def state() -> Path:
    """Return the folder of what is kept between calls: $XDG_STATE_HOME/gyakusan, usually ~/.local/state/gyakusan."""
    return _home("XDG_STATE_HOME", ".local/state", "gyakusan")


def settings() -> Path:
    """Return the folder of the user's own files: $XDG_CONFIG_HOME/gyakusan, usually ~/.config/gyakusan; %APPDATA% on Windows."""
    return _home("XDG_CONFIG_HOME", ".config", "gyakusan")


def write_named(path: Path, text: str | bytes, mode: int = 0o644) -> None:
    """Write a file that the user named, whole or not at all. Raises SourceError."""
    try:
        if path.is_dir():
            raise OSError("it is a folder")
        if _is_special(path):
            raise OSError("it is not a regular file")
        write_private(path, text, mode)
    except (OSError, ValueError) as error:
        raise SourceError(
            "{file} cannot be written: {problem}.",
            file=str(path),
            problem=getattr(error, "strerror", None) or str(error),
            mend="Name a file in a folder that you can write.",
        ) from error


def _is_special(path: Path) -> bool:
    """Return True for a device, a pipe or a socket, and for what the system keeps: a file put in their place breaks others."""
    places = {os.path.abspath(path), os.path.realpath(path)}
    if any(place.startswith(("/dev/", "/proc/", "/sys/")) for place in places):
        return True
    return os.path.exists(path) and not os.path.isfile(path)


def write_private(path: Path, text: str | bytes, mode: int = 0o600) -> None:
    """Write a file of this mode, whole or not at all. Raises OSError, ValueError for text that is no UTF-8."""
    data = text.encode() if isinstance(text, str) else text
    name = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}")  # tempfile takes 7 ms to import
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode != 0o600:
            os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _home(variable: str, usual: str, *names: str) -> Path:
    return _folder(posix.folder(variable), os.path.expanduser("~"), usual, *names)


@lru_cache(32)  # every look at a record asks for two of them
def _folder(value: str, home: str, *names: str) -> Path:
    usual, *rest = names
    return Path(value, *rest) if os.path.isabs(value) else Path(home, usual, *rest)
