"""A file on this computer."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Self

from gyakusan.errors import BadReference, SourceError, Truncated

LONGEST = 300
"""Of a path in a message. [characters]"""


class Disk:
    """An open regular file. Reads are unbuffered: what reads a format buffers itself.

    name: its path for messages
    file: the last part of its path
    size: its length [B]
    """

    __slots__ = ("_file", "_path", "file", "name", "size")

    def __init__(self, path: Path, file: FileIO, size: int) -> None:
        self._path = path
        self._file = file
        self.name = shown(path)
        self.file = path.name
        self.size: int | None = size

    def read(self, at: int, n: int) -> bytes:
        """Return exactly `n` bytes from `at` [B]. Raises Truncated, SourceError."""
        size = self.size or 0
        if at < 0 or n < 0 or at + n > size:
            raise self._short(at + n, size)
        parts: list[bytes] = []
        try:
            self._file.seek(at)
            while n > 0:
                parts.append(self._file.read(n))
                if not parts[-1]:
                    raise self._short(at + n, at)
                n -= len(parts[-1])
        except (OSError, ValueError) as error:
            raise _unreadable(self.name, error) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def beside(self, name: str) -> Disk:
        """Open the file called `name` in the same folder. Links are not followed first, so that a cache of links works."""
        return open(self._path.with_name(name))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _short(self, wanted: int, there: int) -> Truncated:
        return Truncated(
            "{file} ends at byte {there}, {short} bytes too early.",
            file=self.name,
            there=there,
            short=wanted - there,
            mend="The file is incomplete: download it again.",
        )


def open(path: str | os.PathLike[str]) -> Disk:  # noqa: A001
    """Open the regular file at `path`. Raises BadReference if there is none, SourceError if it may not be read."""
    try:
        found = Path(path).expanduser()
        kind = found.stat()
    except FileNotFoundError:
        raise _absent(path) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(shown(path), error) from None
    if not stat.S_ISREG(kind.st_mode):
        raise _no_file(path, stat.S_ISDIR(kind.st_mode))
    try:
        file = FileIO(found, "rb")
        return Disk(found, file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise _unreadable(shown(path), error) from None


def stamp(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return when a file was last written [ns] and its size [B], None if there is none: a cache key that notices a new file."""
    try:
        status = os.stat(os.path.expanduser(path))
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def shown(path: str | os.PathLike[str]) -> str:
    """Return `path` on one line, shortened in the middle."""
    text = "".join(c if c.isprintable() else "?" for c in os.fspath(path))
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"


def _absent(path: str | os.PathLike[str]) -> BadReference:
    return BadReference("The file {file} does not exist.", file=shown(path), mend="Check the spelling of the path.")


def _no_file(path: str | os.PathLike[str], folder: bool) -> BadReference:
    if folder:
        return BadReference(
            "{file} is a folder, not a file.", file=shown(path), mend="Give the path of one file in it."
        )
    return BadReference(
        "{file} is not a regular file.", file=shown(path), mend="Copy the bytes to a file and give its path."
    )


def _unreadable(name: str, error: Exception) -> SourceError:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return SourceError("{file} cannot be read: {why}.", file=name, why=why, mend="Check its permissions and the disk.")
