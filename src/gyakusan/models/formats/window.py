"""A buffered view that walks through a Source, for formats that are read item by item."""

from __future__ import annotations

import struct
from struct import Struct

from gyakusan.errors import Malformed, Truncated
from gyakusan.models.sources import Source

FIRST = 64 * 1024
"""First bytes asked for. [B]"""
CHUNK = 1024 * 1024
"""Most bytes asked for ahead of need; it doubles from FIRST while reading goes straight on. [B]"""
BUDGET = 256 * 1024 * 1024
"""Most bytes read from one file; real headers stay under 32 MiB. [B]"""


class Window:
    """A position in a Source and the bytes around it. Every read is checked against the end of the file.

    size: length of the source, None if unknown [B]
    left: bytes that may still be read [B]
    """

    __slots__ = ("_at", "_base", "_chunk", "_data", "_source", "left", "size")

    def __init__(self, source: Source, left: int = BUDGET) -> None:
        self._source = source
        self._data = b""
        self._base = 0
        self._at = 0
        self._chunk = FIRST
        self.left = left
        self.size = source.size

    @property
    def position(self) -> int:
        """Return the position of the next byte [B]."""
        return self._base + self._at

    @property
    def rest(self) -> int:
        """Return the bytes up to the end of the file; 2^63 if the end is unknown [B]."""
        return 2**63 if self.size is None else max(self.size - self.position, 0)

    def take(self, n: int) -> bytes:
        """Return the next `n` bytes. Raises Truncated."""
        self._need(n)
        start = self._at
        self._at = start + n
        return self._data[start : self._at]

    def number(self, form: Struct) -> int | float:
        """Return the next value of `form`. Raises Truncated."""
        self._need(form.size)
        start = self._at
        self._at = start + form.size
        value: int | float = form.unpack_from(self._data, start)[0]
        return value

    def skip(self, n: int) -> None:
        """Step over `n` bytes without reading them. Raises Truncated if the file ends before."""
        if n > self.rest:
            raise self._short(n)
        self._at += n
        if self._at > len(self._data):
            self._base, self._at, self._data, self._chunk = self.position, 0, b"", FIRST

    def skip_strings(self, count: int, length: Struct) -> None:
        """Step over `count` strings, each after its 8-byte length. A tight loop: vocabularies have 10^5 of them."""
        while count:
            self._need(8)
            at, count = _stride(self._data, self._at, count, length)
            here = min(at, len(self._data))
            self._at = here
            self.skip(at - here)

    def _need(self, n: int) -> None:
        """Buffer `n` bytes from the position on."""
        have = len(self._data) - self._at
        if have >= n:
            return
        if n > self.rest:
            raise self._short(n)
        more = min(max(n - have, self._chunk if self.size is not None else 0), self.rest - have)
        self.left -= more
        if self.left < 0:
            raise self._long()
        fresh = self._source.read(self.position + have, more)
        self._base, self._data, self._at = self.position, self._data[self._at :] + fresh, 0
        self._chunk = min(2 * self._chunk, CHUNK)

    def _short(self, n: int) -> Truncated:
        return Truncated(
            "{file} ends inside its header: {wanted} bytes are expected at byte {at}, {there} are there.",
            file=self._source.name,
            wanted=n,
            at=self.position,
            there=self.rest,
            mend="The file is incomplete or damaged: download it again.",
        )

    def _long(self) -> Malformed:
        return Malformed(
            "The header of {file} does not end within {limit} MiB.",
            file=self._source.name,
            limit=BUDGET >> 20,
            mend="The file is damaged: download it again.",
        )


def _stride(data: bytes, at: int, count: int, length: Struct) -> tuple[int, int]:
    """Step over strings while their lengths are inside `data`: (position after them, strings left).

    The end is found by failing, not by comparing: this loop is most of the time that a header takes.
    """
    unpack = length.unpack_from
    done = 0
    try:
        for done in range(count):  # noqa: B007
            at += 8 + unpack(data, at)[0]
    except (struct.error, OverflowError):
        return at, count - done
    return at, 0
