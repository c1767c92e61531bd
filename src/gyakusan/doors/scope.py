"""What a question may look at. On a page it sees the catalogue alone: no file, no network; on a public copy no computer, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_FILES: ContextVar[bool] = ContextVar("files", default=True)
_COMPUTER: ContextVar[bool] = ContextVar("computer", default=True)


def sees_files() -> bool:
    """Return True where a name may mean a file, a local store or something on the network."""
    return _FILES.get()


def sees_computer() -> bool:
    """Return True where this computer may be looked at, and the records that its user has added."""
    return _COMPUTER.get()


@contextmanager
def catalogue_only(*, computer: bool) -> Iterator[None]:
    """Let the questions inside see the catalogue only. computer: whether they see this computer, too."""
    files, seen = _FILES.set(False), _COMPUTER.set(computer)
    try:
        yield
    finally:
        _COMPUTER.reset(seen)
        _FILES.reset(files)
