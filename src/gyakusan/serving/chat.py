"""A small client of the OpenAI chat API: one question, or many at once."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gyakusan.doors.text import line
from gyakusan.errors import ServerError
from gyakusan.message import quoted

LIMIT = 8 * 2**20
"""A longer answer is refused. [B]"""
TIMEOUT = 600.0
"""Longest silence of the server. [s]"""


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """One answer of a server.

    text: what it wrote
    prompt_tokens: tokens of the prompt as the server counted, 0 if it did not
    completion_tokens: tokens of the answer as the server counted, 0 if it did not
    seconds: from the request to the last byte [s]
    finish: why the answer ended, e.g. "stop" or "length"
    decode: speed by the server's own timings, None if it gives none [tokens/s]
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    finish: str | None = None
    decode: float | None = None


def chat(
    url: str,
    messages: str | Sequence[Mapping[str, str]],
    max_tokens: int = 128,
    key: str | None = None,
    *,
    temperature: float | None = None,
    seed: int | None = None,
    timeout: float = TIMEOUT,
) -> ChatAnswer:
    """Return one answer from the server whose OpenAI base is `url`.

    messages: text of the user, or a whole conversation; key: bearer token; timeout: longest silence of the server [s].
    Raises ServerError if it can't be reached, refuses, or answers nonsense.
    """
    conversation = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    body: dict[str, Any] = {"messages": conversation, "max_tokens": max_tokens}
    body |= {name: value for name, value in (("temperature", temperature), ("seed", seed)) if value is not None}
    begun = time.monotonic()
    reply = _post(url.rstrip("/") + "/chat/completions", body, key, timeout)
    return _answer(reply, time.monotonic() - begun)


def chat_many(
    url: str,
    prompts: Sequence[str],
    users: int,
    max_tokens: int = 128,
    key: str | None = None,
    *,
    temperature: float | None = None,
    seed: int | None = None,
    timeout: float = TIMEOUT,
) -> tuple[ChatAnswer, ...]:
    """Return the answers to all prompts in their order, `users` of them asked at a time. Raises the first ServerError."""

    def ask(prompt: str) -> ChatAnswer:
        return chat(url, prompt, max_tokens, key, temperature=temperature, seed=seed, timeout=timeout)

    pool = ThreadPoolExecutor(max_workers=max(1, users))
    try:
        return tuple(pool.map(ask, prompts))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever ends it early does not wait for the rest


def _post(url: str, body: Mapping[str, Any], key: str | None, timeout: float) -> Any:
    """Return the JSON that the server answers with."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ServerError(
            "{url} is not the address of a server.",
            url=quoted(url, 200),
            mend="Write for example http://127.0.0.1:8080/v1.",
        )
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path, json.dumps(body), headers)
        response = connection.getresponse()
        raw = response.read(LIMIT + 1)
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(
            "{url} does not answer: {error}.",
            url=url,
            error=str(error) or type(error).__name__,
            mend="Check that the server is still running.",
        ) from error
    finally:
        connection.close()
    return _checked(response.status, raw, url)


def _checked(status: int, raw: bytes, url: str) -> Any:
    """Return `raw` as JSON. Raises ServerError unless it is the answer to what was asked."""
    if len(raw) > LIMIT:
        raise ServerError("{url} sent more than {limit} bytes.", url=url, limit=LIMIT, mend="Request fewer tokens.")
    if status == http.client.UNAUTHORIZED:
        raise ServerError("{url} refuses the API key.", url=url, mend="Give the key that the server was started with.")
    try:
        reply = json.loads(raw)
    except (ValueError, RecursionError):
        reply = None
    if status != http.client.OK:
        raise ServerError(
            "{url} answered {status}: {reason}.", url=url, status=status, reason=_reason(reply), mend=_mend(status)
        )
    return reply


def _reason(reply: Any) -> str:
    error = reply.get("error") if isinstance(reply, dict) else None
    told = error.get("message") if isinstance(error, dict) else error
    text = told if isinstance(told, str) else "no reason given"
    return line(text, 300).rstrip(". ")


def _mend(status: int) -> str:
    if status == http.client.SERVICE_UNAVAILABLE:
        return "Wait until the model is loaded."
    return "Shorten the prompt, or give each user a longer context." if status == 400 else "See the server's log."


def _answer(reply: Any, seconds: float) -> ChatAnswer:
    """Return the answer in the JSON of /chat/completions."""
    try:
        choice = reply["choices"][0]
        text = choice["message"].get("content") or ""
        usage, timings = reply.get("usage") or {}, reply.get("timings") or {}
        counts = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
        speed = timings.get("predicted_per_second")
        finish = choice.get("finish_reason")
        return ChatAnswer(str(text), *counts, seconds, finish, None if speed is None else float(speed))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ServerError(
            "The answer of the server is not a chat completion.", mend="Check that it is an OpenAI-compatible server."
        ) from error
