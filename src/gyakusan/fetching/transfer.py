"""One file from the web to the disk: resumed, bounded, checked, over the rules of models.sources.route.

huggingface_hub 2.4 is not used for this: it deletes what it has when a connection breaks, and keeps a file without looking
at its sha256 (decision 29). Servers are not trusted: they lie, stall, redirect and end too early.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from gyakusan.doors import files
from gyakusan.errors import BadReference, GyakusanError, SourceError
from gyakusan.message import Quoted, quoted
from gyakusan.models.sources import http, route
from gyakusan.models.sources.route import HOPS, shown
from gyakusan.models.sources.watch import Watch
from gyakusan.units import MIB

if TYPE_CHECKING:
    from httpx2 import URL, Client, Response

PIECE = 16 * 1024 * MIB
"""Bytes of one request: some content networks send no more than 50 GB at once [B]."""
LONGEST = 7 * 86_400.0
"""No file takes longer. [s]"""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_WAIT = re.compile(r"\d{1,4}")
AGAIN = (408, 429, 500, 502, 503, 504)
"""Answers that may be another one in a moment."""


class Patience(Struct, frozen=True):
    """How long a server is waited for.

    silence: longest time without a byte [s]
    tries: requests without any progress before it is given up
    pause: before the second try; each later one doubles it [s]
    longest_pause: that is waited because a server asks for it [s]
    slowest: a server that sends less over `window` is given up [B/s]
    window: time over which the speed counts [s]
    """

    silence: float = 30.0
    tries: int = 5
    pause: float = 1.0
    longest_pause: float = 60.0
    slowest: float = 1024.0
    window: float = 60.0


class Remote(Struct, frozen=True):
    """A file that is to be fetched.

    name: its path in the repository
    url: its address
    bytes: as the hub lists it, None = not said [B]
    digest: sha256 (64 digits) or git's sha1 (40 digits) as the hub lists it, "" = not said
    """

    name: str
    url: str
    bytes: int | None
    digest: str = ""


class Transfer:
    """The fetching of one file into a part file, which stays where it is when the connection breaks."""

    def __init__(
        self,
        remote: Remote,
        part: Path,
        headers: dict[str, str],
        on_bytes: Callable[[int], None] = lambda _: None,
        patience: Patience = Patience(),
    ) -> None:
        """Prepare it. headers: go to the host of the address only; on_bytes: called with the bytes that are there."""
        self.remote, self.part, self.patience = remote, part, patience
        self._named, self._headers = http.prepared(remote.url, headers)
        self._final: URL | None = None
        self._on_bytes = on_bytes
        self._watch = Watch(LONGEST)
        self.size = remote.bytes
        self.done = 0
        self._since, self._mark = 0.0, 0

    def run(self) -> str:
        """Fetch what is missing, check it, and return the digest of the whole file. Raises SourceError, BadReference.

        What is wrong in its bytes is removed; what is only not finished stays, and the next run goes on from there.
        """
        kind = "sha1" if len(self.remote.digest) == 40 else "sha256"
        with self._opened() as file, self._watch:
            self.done = _length(file)
            if self.size is not None and self.done > self.size:
                self.done = 0
                file.truncate(0)
            self._on_bytes(self.done)
            self._since, self._mark = time.monotonic(), self.done
            self._all(file)
            os.fsync(file.fileno())
        found = digest(self.part, kind, self.done)
        if self.remote.digest and found != self.remote.digest:
            self.part.unlink(missing_ok=True)
            raise SourceError(
                "{file} is damaged: its checksum is {found}..., and {host} lists {said}....", file=self.remote.name,
                found=found[:12], said=self.remote.digest[:12], host=self._named.host,
                mend="It was removed. Fetch it again; if that does not help, use another copy.",
            )  # fmt: skip
        return found

    def _opened(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            return os.fdopen(os.open(self.part, flags, 0o644), "r+b", buffering=0)
        except OSError as error:
            raise unwritable(self.part.parent, error) from None

    def _all(self, file: BinaryIO) -> None:
        """Ask again until everything is there, as long as it helps."""
        from httpx2 import HTTPError, InvalidURL, StreamError

        tries, pause = 0, self.patience.pause
        failure: GyakusanError
        while self.size is None or self.done < self.size:
            before, wait = self.done, 0.0
            try:
                with http.client(self.patience.silence) as client:
                    self._piece(client, file)
                if self.size == 0:
                    return
                continue
            except SourceError as error:
                if "again" not in error.message.facts:
                    raise
                failure, wait = error, float(error.message.facts["again"])
            except (HTTPError, InvalidURL, StreamError, ValueError) as error:
                failure = self._broken(error)
            tries = 0 if self.done > before else tries + 1
            pause = self.patience.pause if self.done > before else pause * 2
            if tries >= self.patience.tries or wait > self.patience.longest_pause:
                raise failure
            if not tries:
                self._check_pace()
            time.sleep(max(wait, pause if tries else 0.0))
            if wait:
                self._since, self._mark = time.monotonic(), self.done

    def _piece(self, client: Client, file: BinaryIO) -> None:
        """Fetch up to PIECE bytes from where the part ends, through redirects."""
        url = self._final or self._named
        for _ in range(HOPS + 1):
            with closing(self._send(client, url)) as response:
                location = response.headers.get("location")
                if response.status_code in (301, 302, 303, 307, 308) and location:
                    url = route.follow(self._named, url, location)
                    continue
                if self._final is not None and url == self._final and response.status_code in (401, 403, 404, 410):
                    url, self._final = self._named, None  # a signed address has run out: ask for a new one
                    continue
                self._final = url if url != self._named else None
                self._body(response, file)
                return
        raise SourceError("{url} redirects more than {n} times.", url=shown(self._named), n=HOPS, mend=_COPY)

    def _send(self, client: Client, url: URL) -> Response:
        own = route.trusted(self._named, url)
        stop = self.done + PIECE if self.size is None else min(self.done + PIECE, self.size)
        headers = {
            **(self._headers if own else {}), "Range": f"bytes={self.done}-{max(stop - 1, 0)}", "Accept-Encoding": "identity",
        }  # fmt: skip
        request = client.build_request("GET", url, headers=headers, extensions={"trace": self._watch.trace})
        checked = not own and not route.proxied()
        self._watch.check = (lambda address: route.check_address(self._named, url, address)) if checked else None
        return client.send(request, stream=True, follow_redirects=False)

    def _body(self, response: Response, file: BinaryIO) -> None:
        """Write the bytes of one answer behind those that are there."""
        expected = self._expected(response, file)
        written = 0
        file.seek(self.done)
        for block in _blocks(response, expected):
            try:
                write(file, block)
            except OSError as error:
                raise self._full(error) from None
            written += len(block)
            self.done += len(block)
            self._on_bytes(self.done)
            self._check_pace()
        if written < expected:
            raise self._cut()

    def _check_pace(self) -> None:
        """Raise SourceError for a server that sends next to nothing, in one answer or in many that break off."""
        now = time.monotonic()
        if now - self._since < self.patience.window or self.done == self.size:
            return
        if self.done - self._mark < self.patience.slowest * (now - self._since):
            raise self._slow(now - self._since)
        self._since, self._mark = now, self.done

    def _expected(self, response: Response, file: BinaryIO) -> int:
        """Return how many bytes follow, and learn the size of the file. Raises what its status means."""
        status = response.status_code
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if status in (200, 206) and encoding not in ("", "identity"):
            raise self._lie("{url} sends compressed bytes ({what}) that were not requested.", encoding)
        if status == 206:
            return self._range(response)
        if status == 416 and re.fullmatch(r"bytes \*/0", response.headers.get("content-range", "").strip()):
            self.size = self._agreed(0)
            return 0
        if status == 200:  # the server sends the whole file, whatever was asked for
            said = response.headers.get("content-length", "")
            self.done = 0
            file.truncate(0)
            self.size = self._agreed(int(said)) if re.fullmatch(r"\d{1,15}", said) else self.size
            if self.size is None:
                raise self._lie("{url} does not say how long the file is ({what}).", "Content-Length")
            return self.size
        raise self._status(response)

    def _range(self, response: Response) -> int:
        said = response.headers.get("content-range", "").strip()
        match = _RANGE.fullmatch(said)
        if match is None:
            raise self._lie("{url} does not state which bytes it sends, and of how many ({what}).", quoted(said, 60))
        start, last, total = (int(g) for g in match.groups())
        if start != self.done or last < start or last >= total:
            raise self._lie("{url} sends other bytes than requested ({what}).", quoted(said, 60))
        self.size = self._agreed(total)
        return last + 1 - start

    def _agreed(self, total: int) -> int:
        """Return the size of the file. Raises SourceError where it is not the one that was listed."""
        if self.size is None or total == self.size:
            return total
        raise SourceError(
            "The hub lists {file} with {said} bytes, and sends {size}.", file=self.remote.name, said=self.size, size=total,
            mend="Do not trust it: use another copy, or try again later.",
        )  # fmt: skip

    def _status(self, response: Response) -> GyakusanError:
        status, after = response.status_code, response.headers.get("retry-after", "").strip()
        facts = {
            "url": shown(self._named),
            "status": status,
            "name": self.remote.name,
            "host": self._named.host,
            "kept": 2,
        }
        if status in (401, 403):
            return SourceError(
                "{url} refuses access ({status}).", **facts,
                kind=response.headers.get("x-error-code", "")[:40], mend="Check that your token has access.",
            )  # fmt: skip
        if status in (404, 410):
            return BadReference("{host} no longer has {name} ({status}).", **facts, mend="Ask for the list again.")
        if status == 429:
            wait = int(after) if _WAIT.fullmatch(after) else 0
            limited = "{host} limits the number of requests (429)."
            mend = "Try again in {seconds} seconds; a token (hf auth login) raises the limit."
            mend = mend if wait else "Try again later; a token (hf auth login) raises the limit."
            return SourceError(limited, **facts, seconds=wait, again=wait, mend=mend)
        again = {"again": 0} if status in AGAIN else {}
        return SourceError("{host} has a server error ({status}).", **facts, **again, mend="Try again later.")

    def _broken(self, error: Exception) -> GyakusanError:
        """Return the error for a request that got no answer, or half of one."""
        from httpx2 import ConnectError, LocalProtocolError, TimeoutException

        about = {"host": self._named.host, "url": shown(self._named), "kept": 2}
        if isinstance(error, LocalProtocolError):  # its text may hold the token
            return SourceError("The request to {url} is malformed.", **about, mend="Check HF_TOKEN.")
        if isinstance(error, TimeoutException):
            mend = "Try again, or name a mirror with HF_ENDPOINT."
            return SourceError(
                "{host} did not answer for {n} seconds.", **about, n=f"{self.patience.silence:g}", mend=mend
            )
        if isinstance(error, ConnectError):
            mend = "Check the network and the proxy settings, or name a mirror with HF_ENDPOINT."
            return SourceError("{host} cannot be reached.", **about, mend=mend)
        return self._cut()

    def _cut(self) -> SourceError:
        return SourceError(
            "The connection to {host} broke.",
            host=self._named.host,
            again=0,
            kept=1,
            mend="Try again: what is here is kept.",
        )

    def _slow(self, seconds: float) -> SourceError:
        return SourceError(
            "{host} sent less than {speed} bytes/s for {n} seconds.", host=self._named.host,
            speed=f"{self.patience.slowest:g}", n=f"{seconds:.0f}", kept=1, mend="Try again: what is here is kept.",
        )  # fmt: skip

    def _full(self, error: OSError) -> SourceError:
        return unwritable(self.part.parent, error)

    def _lie(self, template: str, what: Quoted | str) -> SourceError:
        said = "".join(c if c.isprintable() else "?" for c in what[:80]) if isinstance(what, str) else what
        return SourceError(template, url=shown(self._named), what=said, mend=_COPY)


_COPY = "Use another copy, or name a mirror with HF_ENDPOINT."


def unwritable(folder: Path, error: OSError) -> SourceError:
    """Return the error of a disk that takes no more."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceError(
            "The disk of {folder} is full.",
            folder=str(folder),
            kept=2,
            mend="Make room, or name another folder with --to.",
        )
    return SourceError(
        "{folder} cannot be written: {why}.", folder=str(folder), why=error.strerror or "?",
        mend="Name a folder that you can write with --to.",
    )  # fmt: skip


def write(file: BinaryIO, block: bytes) -> None:
    """Write all bytes: an unbuffered file may take only some. Raises OSError."""
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def _blocks(response: Response, expected: int) -> Iterator[bytes]:
    """Yield the body as it comes, so that nothing is lost when it breaks off, and never more than was announced."""
    left = expected
    for block in response.iter_raw():
        yield block[:left]
        left -= min(len(block), left)
        if left == 0:
            return


def _length(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def digest(path: Path, kind: str, size: int) -> str:
    """Return the checksum of a file: "sha256", or "sha1" as git makes it of a blob, which begins with its length [B]."""
    made = hashlib.new(kind, usedforsecurity=False)
    if kind == "sha1":
        made.update(b"blob %d\0" % size)
    with files.open(path) as file:
        for at in range(0, size, 4 * MIB):
            made.update(file.read(at, min(4 * MIB, size - at)))
    return made.hexdigest()
