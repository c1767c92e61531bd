"""The key of servers that are open to the network: made once, kept in files that only their owner can read."""

from __future__ import annotations

import secrets
from pathlib import Path

from gyakusan.engines.registry import NAMES, engine
from gyakusan.engines.service_files import KeyFiles
from gyakusan.errors import SourceError


def kept_key(folder: Path) -> KeyFiles:
    """Return the files with the key in a folder, made where they are missing. Raises SourceError.

    The second file sets the variable of every engine that takes a key: for Compose and systemd, which read such files.
    """
    files = KeyFiles(folder / "api-key", folder / "api-key.env")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not files.key.exists():
            _create(files.key, secrets.token_urlsafe(32) + "\n")
        key = files.key.read_text("utf-8").strip()
        names = sorted({engine(name).KEY for name in NAMES} - {""})
        lines = "".join(f"{name}={key}\n" for name in names)
        if not files.variables.exists() or files.variables.read_text("utf-8") != lines:
            files.variables.unlink(missing_ok=True)
            _create(files.variables, lines)
    except OSError as error:
        raise SourceError(
            "The key cannot be kept in {folder}: {problem}",
            folder=str(folder),
            problem=error.strerror or str(error),
            mend="Set XDG_CONFIG_HOME to a folder that you can write.",
        ) from error
    return files


def _create(path: Path, text: str) -> None:
    """Write a new file of mode 0600."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, "utf-8")
