"""A file on the web, read by HTTP range requests. Servers are not trusted: they lie, stall and redirect."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

from gyakusan.doors.text import line
from gyakusan.errors import BadReference, BadSetting, GyakusanError, SourceError, Truncated, Unreachable
from gyakusan.message import Quoted, quoted
from gyakusan.models.sources import route
from gyakusan.models.sources.route import HOPS, shown
from gyakusan.models.sources.watch import PATIENCE, Clock, Watch

if TYPE_CHECKING:
    from httpx2 import URL, BaseTransport, Client, Response

FIRST = 512 * 1024
"""Bytes of the first request; each later one asks for twice as many, up to MOST. [B]"""
MOST = 16 * 1024 * 1024
BUDGET = 256 * 1024 * 1024
"""Most bytes fetched from one file. [B]"""
REQUESTS = 64
"""Most range requests for one file; a header takes fewer than 8."""
TIMEOUT = 10.0
"""Longest silence of a server. [s]"""
LARGEST = 2**44
"""No file of a model has as many bytes: the largest part of the hub is below 2^36."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_EMPTY = re.compile(r"bytes \*/0")
_DOWNLOAD = "Download the file and give its path."


@dataclass(frozen=True, slots=True)
class _Asked:
    """One range of bytes that is asked for.

    start: the first byte [B]
    stop: the byte after the last [B]
    """

    start: int
    stop: int

    def __str__(self) -> str:
        return f"bytes={self.start}-{self.stop - 1}"


class Web:
    """A file at an address. Bytes are fetched ahead in growing chunks; one chunk is buffered.

    name: its address without secrets
    file: the last part of its path
    size: its length, None if unknown [B]
    """

    __slots__ = (
        "_ahead", "_base", "_budget", "_client", "_data", "_final", "_headers", "_named", "_requests", "_tag",
        "_transport", "_unparted", "_watch", "file", "name", "size", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        named: URL,
        headers: Mapping[str, str],
        timeout: float,
        patience: float | Clock,
        transport: BaseTransport | None,
        first: int = FIRST,
        unparted: bool = False,
    ) -> None:
        self._named = named
        self._final: URL | None = None
        self._headers = dict(headers)
        self._transport = transport
        self._watch = Watch(patience if isinstance(patience, Clock) else Clock(patience))
        self._client = client(timeout, transport)
        self._data = b""
        self._base = 0
        self._ahead = first
        self._unparted = unparted
        self._requests = REQUESTS
        self._budget = BUDGET
        self._tag = ""
        self.timeout = timeout
        self.name = shown(named)
        self.file = named.path.rpartition("/")[2]
        self.size: int | None = None

    def begin(self) -> Self:
        """Fetch the first bytes, and with them the size."""
        self._data = self._fetch(_Asked(0, self._ahead))
        return self

    def read(self, at: int, n: int) -> bytes:
        """Return exactly `n` bytes from `at` [B]. Raises Truncated, SourceError."""
        size = self.size or 0
        if at < 0 or n < 0 or at + n > size:
            raise Truncated(
                "{url} ends at byte {size}, {short} bytes too early.", url=self.name, size=size, short=at + n - size,
                mend="The file on the server is incomplete: use another copy.",
            )  # fmt: skip
        if not self._base <= at <= self._base + len(self._data):
            self._base, self._data = at, b""
        missing = at + n - self._base - len(self._data)
        if missing > 0:
            self._more(at, missing, size)
        return self._data[at - self._base : at - self._base + n]

    def beside(self, name: str) -> Web:
        """Open the file called `name` at the same place on the same server, with the same query and token."""
        url = self._named.join(quote(name, safe=""))
        if self._named.query:
            url = url.copy_with(query=self._named.query)
        return _begin(Web(url, self._headers, self.timeout, self._watch.clock or PATIENCE, self._transport))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _more(self, at: int, missing: int, size: int) -> None:
        """Buffer the bytes from `at` on, at least `missing` more than now."""
        self._ahead = min(2 * self._ahead, MOST)
        end = self._base + len(self._data)
        fresh = self._fetch(_Asked(end, min(size, end + max(missing, self._ahead))))
        self._base, self._data = at, self._data[at - self._base :] + fresh

    def _fetch(self, asked: _Asked) -> bytes:
        """Fetch one range of bytes, through redirects and checks."""
        from httpx2 import HTTPError, InvalidURL, StreamError

        self._requests -= 1
        self._budget -= asked.stop - asked.start
        if self._requests < 0 or self._budget < 0:
            raise SourceError("The header of {url} does not end.", url=self.name, mend=_DOWNLOAD)
        with self._watch:
            try:
                return self._chain(asked)
            except (HTTPError, InvalidURL, StreamError, OSError, ValueError) as error:
                raise self._failed(error) from None

    def _chain(self, asked: _Asked) -> bytes:
        url = self._final or self._named
        for _ in range(HOPS + 1):
            with closing(self._send(url, asked)) as response:
                location = response.headers.get("location")
                if response.status_code in (301, 302, 303, 307, 308) and location:
                    url = route.follow(self._named, url, location)
                    continue
                if self._final is not None and url == self._final and response.status_code in (401, 403, 404, 410):
                    url, self._final = self._named, None  # a signed address has run out: ask for a new one
                    continue
                body = self._body(response, asked)
                self._final = url
                return body
        raise SourceError("{url} redirects more than {n} times.", url=self.name, n=HOPS, mend=_DOWNLOAD)

    def _send(self, url: URL, asked: _Asked) -> Response:
        own = route.trusted(self._named, url)
        part = {} if self._unparted else {"Range": str(asked)}
        headers = {**(self._headers if own else {}), **part, "Accept-Encoding": "identity"}
        request = self._client.build_request("GET", url, headers=headers, extensions={"trace": self._watch.trace})
        checked = not own and not route.proxied()
        self._watch.check = (lambda address: route.check_address(self._named, url, address)) if checked else None
        return self._client.send(request, stream=True, follow_redirects=False)

    def _body(self, response: Response, asked: _Asked) -> bytes:
        """Return the body of a good answer. Leaving early closes the connection, so nothing more is downloaded."""
        if response.status_code == 416 and asked.start == 0 and self._said(response, _EMPTY):
            self.size = 0
            return b""
        if response.status_code != (200 if self._unparted else 206):
            raise self._status(response, asked)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.strip().lower() not in ("", "identity"):
            raise self._bad("{url} sends compressed bytes ({what}) that were not requested.", encoding)
        if self._unparted:
            return self._all(response, asked.stop)
        expected = self._span(response, asked)
        parts = []
        got = 0
        for part in response.iter_raw():
            parts.append(part)
            got += len(part)
            if got > expected:
                raise self._bad("{url} sends more bytes than it states ({what}).", f"{expected}")
        if got < expected:
            raise self._bad("{url} stopped before the end ({what}).", f"{got}/{expected}")
        return b"".join(parts)

    def _all(self, response: Response, most: int) -> bytes:
        """Return the whole body of a small document. most: longest [B]."""
        body = b""
        for part in response.iter_raw():
            body += part
            if len(body) > most:
                raise self._bad("{url} is longer than {what} bytes.", f"{most}")
        said = response.headers.get("content-length", "")
        if re.fullmatch(r"\d{1,12}", said) and int(said) != len(body):
            raise self._bad("{url} stopped before the end ({what}).", f"{len(body)}/{said}")
        self.size = len(body)
        return body

    def _span(self, response: Response, asked: _Asked) -> int:
        """Return the number of bytes that will follow, and learn the size of the file [B]."""
        said = response.headers.get("content-range", "")
        match = _RANGE.fullmatch(said.strip())
        if match is None or match[3] == "*" or int(match[3]) > LARGEST:
            raise self._bad("{url} does not state which bytes it sends, and of how many ({what}).", quoted(said, 60))
        start, last, total = (int(g) for g in match.groups())
        if start != asked.start or last + 1 != min(asked.stop, total):
            raise self._bad("{url} sends other bytes than requested ({what}).", quoted(said, 60))
        tag = response.headers.get("etag", "")
        tag = "" if tag.startswith("W/") else tag
        if (self.size is not None and total != self.size) or (tag and self._tag and tag != self._tag):
            raise self._bad("{url} changed while it was read ({what}).", quoted(said, 60))
        self.size, self._tag = total, tag
        return last + 1 - start

    def _said(self, response: Response, form: re.Pattern[str]) -> bool:
        return form.fullmatch(response.headers.get("content-range", "").strip()) is not None

    def _bad(self, template: str, what: Quoted | str) -> SourceError:
        said = line(what, 80) if isinstance(what, str) else what
        return SourceError(template, url=self.name, what=said, mend=_DOWNLOAD)

    def _status(self, response: Response, asked: _Asked) -> GyakusanError:
        """Return the error for an answer that is not the bytes asked for."""
        status = response.status_code
        if status == 200:
            return self._whole(response)
        if status in (404, 410):
            mend = "Check the address; a private or gated model also needs HF_TOKEN."
            return BadReference("{url} does not exist ({status}).", url=self.name, status=status, mend=mend)
        if status == 429:
            return self._wait(response)
        template, mend = _STATUS.get(status, _STATUS[500] if status >= 500 else _STATUS[0])
        return SourceError(template, url=self.name, status=status, byte=asked.start, mend=mend)

    def _whole(self, response: Response) -> SourceError:
        if "text/html" in response.headers.get("content-type", "").lower():
            mend = "Give the address of the file itself; on huggingface.co it contains /resolve/, not /blob/."
            return SourceError("{url} is a web page, not a file.", url=self.name, mend=mend)
        return SourceError(
            "{url} does not serve parts of a file: it ignores range requests.", url=self.name, mend=_DOWNLOAD
        )

    def _wait(self, response: Response) -> SourceError:
        after = response.headers.get("retry-after", "")
        if re.fullmatch(r"\d{1,6}", after):
            mend = "Try again in {seconds} seconds; HF_TOKEN raises the limit on huggingface.co."
            return SourceError(
                "{url} limits the number of requests (429).", url=self.name, seconds=int(after), mend=mend
            )
        mend = "Try again later; HF_TOKEN raises the limit on huggingface.co."
        return SourceError("{url} limits the number of requests (429).", url=self.name, mend=mend)

    def _failed(self, error: Exception) -> SourceError:
        """Return the error for a request that got no answer."""
        from httpx2 import LocalProtocolError, TimeoutException

        if self._watch.expired:
            mend = "Try again on a faster connection, or download the file and give its path."
            template = "{url} took longer than {n} seconds."
            return SourceError(template, url=self.name, n=f"{self._watch.patience:g}", mend=mend)
        if isinstance(error, TimeoutException):
            template = "{url} did not answer for {n} seconds."
            return Unreachable(
                template, url=self.name, n=f"{self.timeout:g}", mend="Check the network, or try again later."
            )
        if isinstance(error, LocalProtocolError):  # its text may hold the token
            return SourceError(
                "The request to {url} is malformed.", url=self.name, mend="Check the headers and HF_TOKEN."
            )
        why = " ".join(str(error).split())[:120] or type(error).__name__
        mend = "Check the address, the network and the proxy settings."
        return Unreachable("{url} cannot be read: {why}.", url=self.name, why=why.rstrip("."), mend=mend)


_STATUS: Mapping[int, tuple[str, str]] = {
    0: ("{url} answered with status {status}.", "Check the address, or download the file and give its path."),
    401: (
        "{url} needs a login (401).",
        "Set HF_TOKEN to a token with access, or download the file and give its path.",
    ),
    403: (
        "{url} refuses access (403).",
        "Ask for access on the model's page and set HF_TOKEN to a token that has it, or download the file.",
    ),
    407: ("The proxy for {url} needs a login (407).", "Put user and password into HTTPS_PROXY."),
    416: ("{url} ends before byte {byte} (416).", "The file on the server is incomplete: use another copy."),
    500: ("{url} has a server error ({status}).", "Try again later."),
}


def open(  # noqa: A001
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    patience: float | Clock = PATIENCE,
    transport: BaseTransport | None = None,
    first: int = FIRST,
) -> Web:
    """Open the file at `url`, with its first bytes already fetched. Raises BadReference, SourceError, BadSetting.

    headers: sent to the host of `url` only, for tokens; HF_TOKEN is sent to huggingface.co by itself
    timeout: longest silence [s]; first: bytes of the first request [B]
    patience: longest time in all, also of the files beside it [s]
    transport: carries the requests, for tests
    """
    named, own = prepared(url, headers)
    return _begin(Web(named, own, timeout, patience, transport, first))


def document(
    url: str, *, headers: Mapping[str, str] | None = None, most: int = MOST, timeout: float = TIMEOUT
) -> bytes:
    """Return a whole small document. most: longest that is read [B]. Raises as `open`."""
    named, own = prepared(url, headers)
    with _begin(Web(named, own, timeout, PATIENCE, None, most, True)) as web:
        return web.read(0, web.size or 0)


def prepared(url: str, headers: Mapping[str, str] | None) -> tuple[URL, dict[str, str]]:
    """Return the address without secrets, and the headers that go to its host. Raises BadReference, BadSetting."""
    named = _parsed(url)
    own = {**_token(named), **(headers or {})}
    if named.userinfo:
        own["Authorization"] = "Basic " + base64.b64encode(unquote(named.userinfo.decode()).encode()).decode()
        named = named.copy_with(userinfo=b"")
    for name, value in own.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise BadSetting(
                "The header {name} has characters that cannot be sent.", name=ascii(name),
                mend="Check HF_TOKEN for spaces and line ends.",
            )  # fmt: skip
    return named, own


def _begin(web: Web) -> Web:
    try:
        return web.begin()
    except BaseException:
        web.close()
        raise


def _parsed(url: str) -> URL:
    from httpx2 import URL, InvalidURL

    try:
        found = URL(url.strip())
        if found.scheme in ("http", "https") and found.host and (found.port is None or 0 < found.port < 2**16):
            return found.copy_with(fragment=None)
    except (InvalidURL, UnicodeError, ValueError):
        pass
    raise BadReference("A web address was expected.", mend="It must look like https://host/path/model.gguf.")


def _token(url: URL) -> dict[str, str]:
    """Return the user's Hugging Face token, for Hugging Face only."""
    token = os.environ.get("HF_TOKEN", "").strip()
    return (
        {"Authorization": f"Bearer {token}"} if token and route.origin(url) == ("https", "huggingface.co", 443) else {}
    )


def client(timeout: float, transport: BaseTransport | None = None) -> Client:
    """Return a client that takes proxies from the environment and nothing else."""
    from httpx2 import Client

    try:
        return Client(timeout=timeout, transport=transport, follow_redirects=False, headers={"User-Agent": "gyakusan"})
    except Exception as error:  # noqa: BLE001 - a malformed proxy address: its text may hold a password
        raise SourceError(
            "The HTTP client does not start ({kind}).", kind=type(error).__name__,
            mend="Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE.",
        ) from None  # fmt: skip
