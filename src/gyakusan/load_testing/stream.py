"""One exchange with a server: the bytes of a streamed chat completion, with the time at which each piece came.

The times are taken when the event loop hands over the bytes; nothing is put off, so that they are right even where many
streams share one thread.
"""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import msgspec

from gyakusan.load_testing.records import FailureKind, RequestFailure

LONGEST_LINE = 2**20
"""No event of a stream is longer. [B]"""
LONGEST_BODY = 64 * 2**20
"""No answer is longer. [B]"""
LONGEST_ERROR = 2**16
"""No more is read of an answer that is no success. [B]"""
LONGEST_DETAIL = 200
"""No more is kept of what a server says of an error. [characters]"""
_STATUS: dict[int, FailureKind] = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 429: "rate_limited"}


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: Any = None
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Timings(msgspec.Struct):
    cache_n: int | None = None
    prompt_per_second: float | None = None
    predicted_per_second: float | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Exchange:
    """The answer to one request while it comes in. `done` is set when it has ended, well or not."""

    __slots__ = (
        "_body",
        "_rest",
        "_size",
        "arrivals",
        "cached",
        "chat",
        "completion_tokens",
        "decode_rate",
        "done",
        "failure",
        "finish",
        "finished",
        "heard",
        "prefill_rate",
        "prompt_tokens",
        "sent",
        "status",
    )

    def __init__(self, done: asyncio.Future[None], sent: float) -> None:
        """Begin it. sent: just before the request was given to the system, by the loop's clock [s]."""
        self.done = done
        self.sent = sent
        self.heard = sent
        self.status = 0
        self.chat = False
        self.arrivals: array[float] = array("d")
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.cached: int | None = None
        self.prefill_rate: float | None = None
        self.decode_rate: float | None = None
        self.finish = ""
        self.finished = False
        self.failure: RequestFailure | None = None
        self._rest = b""
        self._body = b""
        self._size = 0

    def fail(self, kind: FailureKind, detail: str = "") -> None:
        """End it with a failure. The first one counts."""
        if not self.done.done():
            self.failure = RequestFailure(kind, self.status, printable(detail))
            self.done.set_result(None)

    def body(self, data: bytes, now: float) -> None:
        """Take bytes of the body. now: when they came, by the loop's clock [s]."""
        self._size += len(data)
        if self._size > LONGEST_BODY:
            self.fail("garbage", f"more than {LONGEST_BODY} bytes")
        elif self.status != 200:
            self._body = (self._body + data)[:LONGEST_ERROR]
        else:
            self._lines(self._rest + data if self._rest else data, now)

    def complete(self) -> None:
        """Take the end of the body."""
        if self.done.done():
            return
        if self.status != 200:
            self.fail(_kind(self.status), _reason(self._body))
        elif not self.chat:
            self.fail("garbage", "not a stream of chat completions")
        elif not (self.finished or self.finish):
            self.fail("cut", "the stream has no end mark")
        elif not self.arrivals:
            self.fail("empty")
        else:
            self.done.set_result(None)

    def _lines(self, data: bytes, now: float) -> None:
        lines = data.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            self.fail("garbage", f"an event of more than {LONGEST_LINE} bytes")
            return
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip(), now)
            elif line.startswith(b"error:"):
                self.fail("stream_error", line[6:].decode("utf-8", "replace"))

    def _event(self, text: bytes, now: float) -> None:
        if text == b"[DONE]":
            self.finished = True
            return
        try:
            chunk = _CHUNK.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self.fail("garbage", "an event of the stream is not a chat completion")
            return
        if chunk.error is not None:
            self.fail("stream_error", error_text(chunk.error))
            return
        self._chunk(chunk, now)

    def _chunk(self, chunk: _Chunk, now: float) -> None:
        for choice in chunk.choices or ():
            self.chat = True
            if _says(choice):
                self.arrivals.append(now)
            self.finish = choice.finish_reason or self.finish
        if chunk.usage is not None:
            self.chat = True
            self._count(chunk.usage)
        if (timings := chunk.timings) is not None:
            self.prefill_rate = timings.prompt_per_second
            self.decode_rate = timings.predicted_per_second
            self.cached = timings.cache_n if self.cached is None else self.cached

    def _count(self, usage: _Usage) -> None:
        self.prompt_tokens = _count(usage.prompt_tokens, self.prompt_tokens)
        self.completion_tokens = _count(usage.completion_tokens, self.completion_tokens)
        if usage.prompt_tokens_details is not None:
            self.cached = _count(usage.prompt_tokens_details.cached_tokens, self.cached)


def _count(told: int | None, before: int | None) -> int | None:
    """Return a count that a server told, the one before where it tells none or nonsense."""
    return told if told is not None and 0 <= told < 2**40 else before


def _says(choice: _Choice) -> bool:
    """Return True if a piece of the answer holds words: a role alone is no token."""
    delta = choice.delta
    if delta is None:
        return bool(choice.text)
    return bool(delta.content or delta.reasoning_content or delta.reasoning or delta.tool_calls)


def _kind(status: int) -> FailureKind:
    if status in _STATUS:
        return _STATUS[status]
    if 500 <= status < 600:
        return "server_error"
    return "bad_request" if 400 <= status < 500 else "http_error"


def _reason(body: bytes) -> str:
    """Return what the body of an error says, "" for nothing readable."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    return error_text(told.get("error", told.get("message", ""))) if isinstance(told, dict) else ""


def error_text(error: object) -> str:
    """Return the text of an error as servers put it into JSON."""
    told = error.get("message") if isinstance(error, dict) else error
    return told if isinstance(told, str) else ""


def printable(text: str) -> str:
    """Return one printable line of what somebody else said."""
    return "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_DETAIL])[:LONGEST_DETAIL].strip(" .")
