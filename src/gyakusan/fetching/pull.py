"""Ollama fetches by itself: its local API is asked, and its progress and errors are passed on.

Source: ollama/ollama, docs/api.md, "Pull a Model": a stream of JSON lines with status, digest, total, completed, error.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gyakusan.errors import BadReference, BadSetting, SourceError
from gyakusan.message import quoted

if TYPE_CHECKING:
    from httpx2 import Client, Response

PORT = 11434
SILENCE = 600.0
"""Longest silence: it checks the sums of large files without a word. [s]"""
LONGEST = 65_536
"""Of one line of its answer [B]."""
LINES = 10_000_000
_USUAL = {"http": "80", "https": "443"}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{0,253})(?::(\d{1,5}))?")
_HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def address() -> str:
    """Return where Ollama listens: OLLAMA_HOST, else 127.0.0.1:11434. Raises BadSetting.

    Source: ollama envconfig/config.go, Host: a scheme and a port may be missing; what listens everywhere is asked here.
    """
    said = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, sep, rest = said.partition("://")
    scheme, rest = (scheme, rest) if sep else ("http", said)
    usual = _USUAL.get(scheme, "") if sep else str(PORT)
    host = rest.partition("/")[0]
    match = _HOST.fullmatch(host)
    if match is None or scheme not in _USUAL:
        raise BadSetting("OLLAMA_HOST is no address: {value}.", value=quoted(said, 80), mend="Write 127.0.0.1:11434.")
    name = _HERE.get(match[1], match[1])
    return f"{scheme}://{name}:{match[2] or usual}"


def pull(tag: str, on_bytes: Callable[[int, int], None], *, silence: float = SILENCE) -> None:
    """Let Ollama fetch a tag. Raises BadReference for an unknown one, SourceError.

    on_bytes: called with the bytes that are there and those of all files known so far [B]
    """
    from httpx2 import HTTPError

    url = address()
    try:
        with _client(url, silence) as client, client.stream("POST", f"{url}/api/pull", json={"model": tag}) as answer:
            _follow(answer, tag, url, on_bytes)
    except (HTTPError, OSError) as error:
        raise _unreachable(url, error) from None


def _client(url: str, silence: float) -> Client:
    """Return a client without proxies for this computer's own Ollama."""
    from httpx2 import Client

    own = any(url.partition("://")[2].startswith(name) for name in _LOOPBACK)
    return Client(timeout=silence, trust_env=not own, follow_redirects=False)


def _follow(answer: Response, tag: str, url: str, on_bytes: Callable[[int, int], None]) -> None:
    """Read the progress until it says that all is there. Raises BadReference, SourceError."""
    done: dict[str, int] = {}
    total: dict[str, int] = {}
    status = ""
    for entry in _entries(answer, url):
        if entry.get("error"):
            raise _failed(tag, str(entry["error"]))
        status = str(entry.get("status", ""))
        digest, size = entry.get("digest"), entry.get("total")
        if isinstance(digest, str) and type(size) is int:
            total[digest] = size
            had = entry.get("completed")
            done[digest] = had if type(had) is int else done.get(digest, 0)
            on_bytes(sum(done.values()), sum(total.values()))
    if answer.status_code != 200 or status != "success":
        raise SourceError(
            "Ollama at {url} stopped fetching {tag} ({status}).", url=url, tag=tag[:120],
            status=_clean(status) or str(answer.status_code), mend="Try again: Ollama goes on from there.",
        )  # fmt: skip


def _entries(answer: Response, url: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines of an answer. Raises SourceError for what is none."""
    rest = b""
    for count, block in enumerate(answer.iter_raw(LONGEST)):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > LONGEST or count > LINES:
            raise _nonsense(url)
        yield from (_entry(line, url) for line in lines if line.strip())
    if rest.strip():
        yield _entry(rest, url)


def _entry(line: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _nonsense(url)
    return found


def _failed(tag: str, said: str) -> BadReference | SourceError:
    """Return the error in our words. Source: ollama server/images.go: "pull model manifest: file does not exist"."""
    if "file does not exist" in said or "not found" in said:
        return BadReference(
            "Ollama finds no model {tag}.", tag=tag[:120],
            mend="Check the spelling; the tags of a model are listed at https://ollama.com/library.",
        )  # fmt: skip
    if "no space left" in said or "not enough space" in said:
        return SourceError(
            "The disk of Ollama's models is full.", mend="Make room, or name another folder with OLLAMA_MODELS."
        )
    return SourceError("Ollama could not fetch {tag}: {why}.", tag=tag[:120], why=_clean(said), mend="Try again later.")


def _clean(said: str) -> str:
    return "".join(c if c.isprintable() else " " for c in said)[:200].strip().rstrip(".")


def _nonsense(url: str) -> SourceError:
    return SourceError(
        "What answers at {url} is not Ollama.", url=url, mend="Check OLLAMA_HOST, and that Ollama runs there."
    )


def _unreachable(url: str, error: Exception) -> SourceError:
    from httpx2 import TimeoutException

    if isinstance(error, TimeoutException):
        return SourceError(
            "Ollama at {url} did not answer for a long time.", url=url, mend="See its log, and try again."
        )
    if "connect" in type(error).__name__.casefold():
        return SourceError("Ollama does not answer at {url}.", url=url, mend="Start it: ollama serve")
    return SourceError(
        "The connection to Ollama at {url} broke.", url=url, mend="Try again: Ollama goes on from there."
    )
