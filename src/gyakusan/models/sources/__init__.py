"""Where bytes come from: the disk or the web. A format reads a Source and never knows which."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Source(Protocol):
    """Bytes that can be read from anywhere. Use it with `with`, or close it.

    name: how messages call it, never with a password in it; file: the last part of its path; size [B], None if unknown.
    """

    @property
    def name(self) -> str:
        """A path or an address without secrets."""
        ...

    @property
    def file(self) -> str:
        """The file's own name, e.g. model-00001-of-00003.gguf."""
        ...

    @property
    def size(self) -> int | None:
        """Length. [B]"""
        ...

    def read(self, at: int, n: int) -> bytes:
        """Exactly `n` bytes from `at`. [B] Raises Truncated if not all are there, SourceError if unreadable."""
        ...

    def beside(self, name: str) -> Source:
        """The file called `name` in the same folder, opened. Raises BadReference if there is none."""
        ...

    def close(self) -> None:
        """Let go of the file or the connection; twice is once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def open(where: str) -> Source:  # noqa: A001
    """The Source that `where` names: an http(s) address, or else a path."""
    if where.partition("://")[0].lower() in ("http", "https") and "://" in where:
        from gyakusan.models.sources import http

        return http.open(where)
    from gyakusan.models.sources import disk

    return disk.open(where)


__all__ = ["Source", "open"]
