"""The door for files: nothing else here opens one to read it.

A file is looked at before it is read: a folder, a device or a socket is refused, a pipe only read where one is usual, and
each caller says how many bytes its kind of file may have.

    open      a regular file of any size, read at any position: models
    whole     all bytes of a small file: questions, records, scores, keys, saved answers
    text      the same as UTF-8
    head      the first bytes of a file that tells no size: the kernel's
    packaged  a file of this package, which is ours
"""

from __future__ import annotations

import os
import select
import stat
import time
from errno import EINVAL, EISDIR, ETIMEDOUT
from io import FileIO
from pathlib import Path
from typing import Self

from gyakusan.doors.text import PATH, line, shortened
from gyakusan.errors import BadReference, SourceError, Truncated

PATIENCE = 30.0
"""Longest time for a pipe in all. [s]"""
_CHUNK = 1 << 16
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Not blocking: a pipe that was put in the place of a file is not waited for."""


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
                at += len(parts[-1])
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
        found = expanded(path)
        handle = _opened(found, pipe=False)
        return Disk(found, FileIO(handle, "rb"), os.fstat(handle).st_size)
    except (OSError, ValueError, RuntimeError) as error:
        raise _refused(path, error) from None


def whole(path: str | os.PathLike[str], most: int, *, pipe: bool = False) -> bytes:
    """Return all bytes of a small file. Raises BadReference, SourceError.

    most: longest that is read [B]
    pipe: a pipe is read, too, as in `gyakusan plan <(...)`
    """
    try:
        data = head(expanded(path), most + 1, pipe=pipe)
    except (OSError, ValueError, RuntimeError) as error:
        raise _refused(path, error) from None
    if len(data) > most:
        limit = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most:,} B"
        raise BadReference(
            "{file} is larger than {limit}.", file=shown(path), limit=limit,
            mend="A file of another kind is expected here: check the path.",
        )  # fmt: skip
    return data


def text(path: str | os.PathLike[str], most: int, *, pipe: bool = False) -> str:
    """Return a small file as text, without the mark that Windows editors begin it with. Raises as `whole`."""
    data = whole(path, most, pipe=pipe)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadReference(
            "{file} is not UTF-8 text: byte {at} cannot be read.", file=shown(path), at=error.start,
            mend="Save the file as UTF-8.",
        ) from None  # fmt: skip


def head(path: str | os.PathLike[str], most: int, *, pipe: bool = False) -> bytes:
    """Return at most `most` bytes from the beginning of a file. Raises OSError, ValueError. pipe: see `whole`."""
    handle = _opened(path, pipe=pipe)
    try:
        if stat.S_ISFIFO(os.fstat(handle).st_mode):
            return _piped(handle, most)
        parts: list[bytes] = []
        while most > 0 and (part := os.read(handle, min(most, 1 << 20))):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path whose `~` is the home folder; that of a user who does not exist stays as it is, and names no file."""
    return Path(os.path.expanduser(path))


def packaged(path: Path) -> bytes:
    """Return a file that came with this package, whatever its size. Raises OSError."""
    return path.read_bytes()


def stamp(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return when a file was last written [ns] and its size [B], None if there is none: a cache key that notices a new file."""
    try:
        status = os.stat(os.path.expanduser(path))
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def shown(path: str | os.PathLike[str]) -> str:
    """Return `path` on one line, shortened in the middle."""
    return line(shortened(os.fspath(path), PATH))


def _opened(path: str | os.PathLike[str], *, pipe: bool) -> int:
    """Return a descriptor of a regular file, or of a pipe. Raises OSError for another kind, before it is opened."""
    _check_kind(path, os.stat(path).st_mode, pipe=pipe)
    handle = os.open(path, _FLAGS)
    try:
        _check_kind(path, os.fstat(handle).st_mode, pipe=pipe)
    except OSError:
        os.close(handle)
        raise
    return handle


def _check_kind(path: str | os.PathLike[str], mode: int, *, pipe: bool) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode) and not (pipe and stat.S_ISFIFO(mode)):
        raise OSError(EINVAL, "not a regular file", os.fspath(path))


def _piped(handle: int, most: int) -> bytes:
    """Return what comes through a pipe, until its end, `most` bytes or PATIENCE. Raises TimeoutError."""
    until = time.monotonic() + PATIENCE
    parts: list[bytes] = []
    while most > 0:
        ready, _, _ = select.select([handle], [], [], max(until - time.monotonic(), 0))
        if not ready:
            raise TimeoutError(ETIMEDOUT, f"nothing came for {PATIENCE:g} s")
        try:
            part = os.read(handle, min(most, _CHUNK))
        except BlockingIOError:
            continue
        if not part:
            break
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _refused(path: str | os.PathLike[str], error: Exception) -> BadReference | SourceError:
    """Return the error for a path that names nothing readable."""
    if isinstance(error, FileNotFoundError):
        return BadReference("The file {file} does not exist.", file=shown(path), mend="Check the spelling of the path.")
    if isinstance(error, IsADirectoryError):
        return BadReference(
            "{file} is a folder, not a file.", file=shown(path), mend="Give the path of one file in it."
        )
    if isinstance(error, OSError) and error.errno == EINVAL and error.strerror == "not a regular file":
        return BadReference(
            "{file} is not a regular file.", file=shown(path), mend="Copy the bytes to a file and give its path."
        )
    return _unreadable(shown(path), error)


def _unreadable(name: str, error: Exception) -> SourceError:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return SourceError(
        "{file} cannot be read: {why}.", file=name, why=line(why), mend="Check its permissions and the disk."
    )
