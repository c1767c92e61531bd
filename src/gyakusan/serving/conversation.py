"""A conversation with a server that speaks OpenAI's chat API: answers arrive piece by piece, and can be broken off."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from gyakusan.errors import ServerError
from gyakusan.message import quoted

LINE = 2**20
"""Longest line of a stream [B]."""
LIMIT = 64 * 2**20
"""Longest answer [B]."""
DOCUMENT = 4 * 2**20
SILENCE = 600.0
"""Longest silence of a server: it may load a model first. [s]"""
PROBE = 5.0
"""Longest silence of a server that is only asked for its models [s]."""


class Piece(Struct, frozen=True):
    """A piece of an answer.

    text: what arrived
    kind: answer, or thinking before it
    """

    text: str
    kind: Literal["answer", "thinking"] = "answer"


class Spoken(Struct, frozen=True):
    """One answer, when it has ended.

    text: the answer without thinking
    completion_tokens: as the server counted, pieces where it did not
    prompt_tokens: as the server counted, 0 if it did not
    ttft: from the request to the first piece [s]
    seconds: from the first piece to the last [s]
    finish: why it ended: stop, length ...; "" if it was broken off
    counted: True if the server counted its tokens
    """

    text: str
    completion_tokens: int
    prompt_tokens: int
    ttft: float
    seconds: float
    finish: str
    counted: bool

    @property
    def decode(self) -> float | None:
        """Return the speed behind the first token, None for an answer of one token [tokens/s]."""
        return (self.completion_tokens - 1) / self.seconds if self.completion_tokens > 1 and self.seconds > 0 else None


class Stream:
    """One answer that is being written. Iterate over its pieces; `close` breaks it off, so that the server stops."""

    def __init__(
        self,
        url: str,
        messages: Sequence[Mapping[str, str]],
        key: str | None = None,
        *,
        model: str = "",
        max_tokens: int | None = None,
        silence: float = SILENCE,
    ) -> None:
        """Prepare it. url: the OpenAI base; model: its name there, "" = the server's only one."""
        self._url, self._key, self._silence = url.rstrip("/"), key, silence
        self._body: dict[str, Any] = {
            "messages": list(messages), "stream": True, "stream_options": {"include_usage": True},
            **({"model": model} if model else {}), **({"max_tokens": max_tokens} if max_tokens else {}),
        }  # fmt: skip
        self._connection: http.client.HTTPConnection | None = None
        self._parts: list[str] = []
        self._pieces = 0
        self._usage: Mapping[str, Any] = {}
        self._finish = ""
        self._done = False
        self._begun = self._first = self._last = 0.0

    def __iter__(self) -> Iterator[Piece]:
        """Ask, and yield what arrives. Raises ServerError."""
        self._begun = time.monotonic()
        response = self._asked()
        try:
            for event in _events(response, self._url):
                if event is None:
                    self._done = True
                    break
                yield from self._taken(event)
        except (OSError, http.client.HTTPException) as error:
            raise broken(self._url, error) from None
        finally:
            self.close()
        if not self._finish and not self._pieces:
            raise ServerError("{url} sent no answer.", url=self._url, mend="See the server's log.")
        if not self._finish and not self._done:
            raise ServerError("{url} broke the answer off.", url=self._url, mend="See the server's log: gyakusan logs")

    def close(self) -> None:
        """Close the connection. Safe at any time."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def spoken(self) -> Spoken:
        """Return the answer as far as it arrived."""
        counted = self._usage.get("completion_tokens")
        asked = self._usage.get("prompt_tokens")
        first, last = self._first or self._begun, self._last or self._begun
        return Spoken(
            "".join(self._parts),
            counted if type(counted) is int else self._pieces,
            asked if type(asked) is int else 0,
            first - self._begun,
            last - first,
            self._finish,
            type(counted) is int,
        )

    def _asked(self) -> http.client.HTTPResponse:
        self._connection = connect(self._url, self._silence)
        path = urllib.parse.urlsplit(self._url).path
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **bearer(self._key)}
        try:
            self._connection.request("POST", f"{path}/chat/completions", json.dumps(self._body), headers)
            response = self._connection.getresponse()
            if response.status == http.client.OK:
                return response
            raw = response.read(DOCUMENT)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise broken(self._url, error) from None
        self.close()
        raise refused(self._url, response.status, raw)

    def _taken(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield the text of one event, and keep what it tells."""
        if event.get("error"):
            raise refused(self._url, 500, json.dumps(event).encode())
        usage = event.get("usage")
        self._usage = usage if isinstance(usage, dict) else self._usage
        choices = event.get("choices")
        first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        finish, delta = first.get("finish_reason"), first.get("delta")
        self._finish = finish if isinstance(finish, str) else self._finish
        for key, kind in _KINDS:
            text = delta.get(key) if isinstance(delta, dict) else None
            if isinstance(text, str) and text:
                self._last = time.monotonic()
                self._first = self._first or self._last
                self._pieces += 1
                if kind == "answer":
                    self._parts.append(text)
                yield Piece(text, kind)


_KINDS: tuple[tuple[str, Literal["answer", "thinking"]], ...] = (
    ("reasoning_content", "thinking"),
    ("reasoning", "thinking"),
    ("content", "answer"),
)
"""llama-server and vLLM name thinking reasoning_content; newer vLLM and Ollama reasoning."""


def models_at(url: str, key: str | None = None, *, silence: float = PROBE) -> tuple[str, ...]:
    """Return the names of the models that a server offers. Raises ServerError."""
    connection = connect(url, silence)
    path = urllib.parse.urlsplit(url).path.rstrip("/")
    try:
        connection.request("GET", f"{path}/models", headers=bearer(key))
        response = connection.getresponse()
        raw = response.read(DOCUMENT)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise broken(url, error) from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise refused(url, response.status, raw)
    try:
        found = json.loads(raw)["data"]
        return tuple(m["id"] for m in found if isinstance(m["id"], str) and m["id"].isprintable())
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ServerError(
            "What answers at {url} does not speak OpenAI's API.",
            url=url,
            mend="Write for example http://127.0.0.1:8080/v1.",
        ) from None


def is_up(url: str, *, silence: float = PROBE) -> bool:
    """Return True if a server that gyakusan started answers: its front says so without a key, and counts no request."""
    try:
        connection = connect(url, silence)
    except ServerError:
        return False
    try:
        connection.request("GET", f"{urllib.parse.urlsplit(url).path.rstrip('/')}/health")
        response = connection.getresponse()
        response.read(DOCUMENT)
        return response.status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def connect(url: str, silence: float) -> http.client.HTTPConnection:
    """Return a connection to a server. Raises ServerError for what is no address."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urllib.parse.urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.username or not url.isprintable():
        raise ServerError(
            "{url} is not the address of a server.",
            url=quoted(url, 200),
            mend="Write for example http://127.0.0.1:8080/v1.",
        )
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=silence)


def bearer(key: str | None) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def _events(response: http.client.HTTPResponse, url: str) -> Iterator[Mapping[str, Any] | None]:
    """Yield the events of a stream, and None where it says that it is done. Raises ServerError."""
    taken = 0
    while line := response.readline(LINE + 1):
        taken += len(line)
        if len(line) > LINE or taken > LIMIT:
            raise ServerError("{url} sent more than {limit} bytes.", url=url, limit=LIMIT, mend="Request fewer tokens.")
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            yield None
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise ServerError(
                "The answer of the server is not a chat completion.",
                mend="Check that it is an OpenAI-compatible server.",
            )
        yield event


def refused(url: str, status: int, raw: bytes) -> ServerError:
    """Return the error of a server that answered, and not with an answer."""
    reason = _reason(raw)
    if status in (401, 403):
        return ServerError(
            "{url} refuses the API key.", url=url, status=status, mend="Name the file with the key: --key-file FILE"
        )
    if status == 503:
        return ServerError(
            "{url} answered {status}: {reason}.", url=url, status=status, reason=reason, mend="Wait until the model is loaded."
        )  # fmt: skip
    mend = "The conversation may be too long: /new begins another." if status == 400 else "See the server's log."
    return ServerError("{url} answered {status}: {reason}.", url=url, status=status, reason=reason, mend=mend)


def _reason(raw: bytes) -> str:
    told: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        told = json.loads(raw)
    for _ in range(2):
        told = told.get("error", told.get("message")) if isinstance(told, dict) else told
    text = told if isinstance(told, str) else "no reason given"
    return "".join(c if c.isprintable() else " " for c in text)[:300].rstrip(". ")


def broken(url: str, error: Exception) -> ServerError:
    """Return the error of a server that does not answer any more."""
    if isinstance(error, socket.timeout | TimeoutError):
        return ServerError("{url} does not answer.", url=url, mend="Check that the server is still running.")
    why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    return ServerError(
        "{url} does not answer: {error}.", url=url, error=why, mend="Check that the server is still running."
    )
