"""Sources of bytes: a file on disk or on the web. A format reads a Source and does not know which."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Source(Protocol):
    """Bytes that can be read at any position. Use it with `with`, or close it.

    name: how messages call it, never with a password in it
    file: the last part of its path
    size: its length, None if unknown [B]
    """

    @property
    def name(self) -> str:
        """Return the path or the address without secrets."""
        ...

    @property
    def file(self) -> str:
        """Return the file's own name, e.g. model-00001-of-00003.gguf."""
        ...

    @property
    def size(self) -> int | None:
        """Return the length [B]."""
        ...

    def read(self, at: int, n: int) -> bytes:
        """Return exactly `n` bytes from `at` [B]. Raises Truncated if they are not all there, SourceError if unreadable."""
        ...

    def beside(self, name: str) -> Source:
        """Open the file called `name` in the same folder. Raises BadReference if there is none."""
        ...

    def close(self) -> None:
        """Close the file or the connection; calling it twice does no harm."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def open(where: str) -> Source:  # noqa: A001
    """Open the Source that `where` names: an http(s) address, or else a path."""
    if where.partition("://")[0].lower() in ("http", "https") and "://" in where:
        from gyakusan.models.sources import http

        return http.open(where)
    from gyakusan.doors import files

    return files.open(where)


__all__ = ["Source", "open"]
