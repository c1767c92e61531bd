"""GGUF files that somebody opens in the page: the first bytes are read as a header, and forgotten; what they mean is kept."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from gyakusan.core.model import Model
from gyakusan.errors import BadReference, BadSetting, Truncated, Unsupported
from gyakusan.message import quoted
from gyakusan.models.given import PREFIX
from gyakusan.web.problems import Busy

MOST_FILES = 8
"""Files of which the page knows; the oldest makes room."""
MOST_BYTES = 32 * 2**20
"""Of a file's beginning: real headers stay under it. [B]"""
LARGEST_FILE = 2**46
"""No file of a model is larger. [B]"""
SOMEWHERE = "FOLDER"
"""Stands in commands for where a file is: a browser does not tell."""
AT_ONCE = 2
"""Files that come or are read at the same time: so many bodies are in memory."""


class OpenedFiles:
    """The files of one start of `gyakusan web`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading = threading.Semaphore(AT_ONCE)
        self._models: dict[str, Model] = {}

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by the names of their files."""
        with self._lock:
            return dict(self._models)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keep a place for a body that comes and is read: so many are in memory at once. Raises Busy."""
        if not self._reading.acquire(blocking=False):
            raise Busy("{n} files are being read.", n=AT_ONCE, mend="Ask again in a second.")
        try:
            yield
        finally:
            self._reading.release()

    def keep(self, file: str, size: int, begin: bytes) -> str:
        """Keep what the header of a file says, and return the model's name on the page. Raises GyakusanError.

        size: of the whole file, as the browser says [B]; begin: its first bytes
        """
        from gyakusan.models.assemble import from_gguf

        name = plain(file)
        if not len(begin) <= size <= LARGEST_FILE:
            raise BadSetting("{file} cannot have {size} bytes.", file=name, size=size, mend="Open the file again.")
        model = from_gguf(f"/{SOMEWHERE}/{name}", remote=False, opener=lambda _: Begin(name, size, begin))
        with self._lock:
            self._models.pop(name, None)
            while len(self._models) >= MOST_FILES:
                del self._models[next(iter(self._models))]
            self._models[name] = model
        return PREFIX + name


def plain(file: str) -> str:
    """Return the name of a file as a word of an address. Raises BadReference for one that is no name."""
    name = re.sub(r"[^\w.-]+", "-", file.replace("\\", "/").rsplit("/", 1)[-1])[-96:].lstrip("-.")
    if not name.casefold().endswith(".gguf"):
        raise BadReference(
            "{name} is not a GGUF file.", name=quoted(name, 80, mark='"'), mend="Open a file whose name ends in .gguf."
        )
    return name


class Begin:
    """The first bytes of a file as a Source."""

    __slots__ = ("_data", "file", "name", "size")

    def __init__(self, name: str, size: int, data: bytes) -> None:
        self.name = self.file = name
        self.size: int | None = size
        self._data = data

    def read(self, at: int, n: int) -> bytes:
        """Return exactly `n` bytes from `at` [B]. Raises Truncated, Unsupported for a header beyond what was sent."""
        if at >= 0 and n >= 0 and at + n <= len(self._data):
            return self._data[at : at + n]
        if at + n <= (self.size or 0):
            raise Unsupported(
                "The header of {file} is longer than {most} MiB.", file=self.name, most=MOST_BYTES >> 20,
                mend="Ask in a terminal: gyakusan inspect FILE",
            )  # fmt: skip
        raise Truncated(
            "{file} ends at byte {there}, {short} bytes too early.", file=self.name, there=self.size,
            short=at + n - (self.size or 0), mend="The file is incomplete: download it again.",
        )  # fmt: skip

    def beside(self, name: str) -> Begin:
        """Raise BadReference: a page is given one file."""
        raise BadReference(
            "{file} is one part of a model in several files, and a page is given one.", file=self.name,
            mend="Ask in a terminal: gyakusan inspect FILE",
        )  # fmt: skip

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
