"""The front as an ASGI application: check a request, wait for a slot, pass the answer on as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import httpx2

from gyakusan.serving.front.bodies import check_body
from gyakusan.serving.front.heads import (
    METHODS,
    Head,
    Names,
    check_length,
    check_owner,
    check_path,
    preflight,
    shared_with,
    too_large,
)
from gyakusan.serving.front.keys import OWNER, Keys
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.listing import LARGEST as LONGEST_LIST
from gyakusan.serving.front.listing import LISTED, listed
from gyakusan.serving.front.metrics import CONTENT_TYPE, Metrics
from gyakusan.serving.front.rates import Buckets
from gyakusan.serving.front.refusal import JSON_TYPE, Headers, Refusal
from gyakusan.serving.front.slots import Lanes, Slots
from gyakusan.serving.front.upstream import Upstream, away

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Client = tuple[str, str]

HEALTH, METRICS = ("/health", "/v1/health"), "/metrics"
LONGEST_METRICS = 4 * 2**20
"""No more is passed on of the server's own metrics. [B]"""
ABORT = "gyakusan.abort"
"""Where the protocol leaves the function that ends a connection at once."""
DRAINED, DRAIN_TIME = 8 * 2**20, 2.0
"""How much of a refused body is read and dropped, and for how long: its sender reads the refusal after it. [B], [s]"""
_PASSED = (b"content-type", b"content-length", b"retry-after")
BYTES_OF_A_TOKEN = 4
"""Of a prompt in a stream whose server does not count it: some do so on request only. Assumed. [B]"""
NOT_TOKENS = 4
"""Events of a stream that hold no token, at most: the role, the reason of the end, the usage, the end."""
_STREAMED = re.compile(rb'"stream"\s*:\s*[t1-9]')
_TAIL = 4096
"""The end of an answer, where its tokens are counted. [B]"""
_COUNTS = re.compile(
    rb'"(prompt_tokens|completion_tokens|input_tokens|output_tokens|prompt_n|predicted_n)"\s*:\s*(\d{1,9})'
)
_PAIRS = ((b"prompt_tokens", b"completion_tokens"), (b"input_tokens", b"output_tokens"), (b"prompt_n", b"predicted_n"))


@dataclass(slots=True)
class Traffic:
    """What went through the front.

    requests: that were passed on, lists of models not among them
    refusals: that were not
    tokens: of prompts and answers, of a stream while it comes, of others at their end
    unstreamed: that are answered now and come as a whole
    seen: when the server last sent something, by the monotonic clock [s]
    model: that was asked last, where there are several
    """

    requests: int = 0
    refusals: int = 0
    tokens: int = 0
    unstreamed: int = 0
    seen: float = 0.0
    model: str = ""


class App:
    """The front. It is called for each request, in one event loop."""

    def __init__(
        self, limits: Limits, keys: Keys, names: Names, models: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Prepare. models: slots of each by its name, if there are several that a request chooses among."""
        self.limits = limits
        self.keys = keys
        self.traffic = Traffic()
        self.changed: Callable[[], None] = _nothing  # a request came, got its slot, or ended
        self.upstream = Upstream()
        self.slots = Lanes({name: self._slots(slots) for name, slots in (models or {"": limits.slots}).items()})
        self._models = tuple(models)
        self.metrics = Metrics()
        self._names = names
        self._requests = Buckets(limits.key_requests)
        self._tokens = Buckets(limits.key_tokens)

    def _slots(self, slots: int) -> Slots:
        limits = self.limits
        of_one = replace(limits, slots=slots).slots_of_one(keyed=bool(self.keys))
        return Slots(slots, of_one, limits.waiting, limits.wait)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        head = Head(scope["method"], scope["path"], scope["headers"], (scope["client"] or ("", 0))[0])
        answer = _Answer(send, scope.get(ABORT, _nothing), self.limits.send_time)
        try:
            await self._answer(head, receive, answer)
        except Refusal as refusal:
            if head.path not in HEALTH:  # a look at a server that is still loading is nobody's question
                self.traffic.refusals += 1
                self.metrics.refusals.labels(refusal.kind).inc()
            if answer.started:
                answer.abort()
                return
            if head.path in METHODS and not answer.body_read:
                await _drain(head, receive)
            shared = shared_with(head) if answer.known else []  # a stranger's page reads nothing
            await answer.whole(refusal.status, [*refusal.headers(), *shared], refusal.body())
        finally:
            if head.path not in HEALTH:
                self.changed()

    async def _answer(self, head: Head, receive: Receive, answer: _Answer) -> None:
        self._names.check(head)
        answer.known = True
        if head.method == "OPTIONS":
            await answer.whole(204, preflight(head), b"")
            return
        if head.path in HEALTH and head.method == "GET":
            if self.upstream.target is None:
                raise away()
            await answer.whole(200, [(b"content-type", JSON_TYPE), *shared_with(head)], b'{"status":"ok"}')
            return
        client = self._client(head)
        check_path(head)
        check_owner(head, client[0])
        if head.path == METRICS:
            await self._tell_metrics(head, answer)
            return
        check_length(head, self.limits.body)
        self._meter(client)
        if head.path in LISTED:
            await _unless_gone(self._list(head, answer), receive)
            return
        body, model = b"", next(iter(self._models), "")
        if head.method == "POST":
            body = await _body(receive, self.limits)
            answer.body_read = True
            asked = check_body(body, self.limits, keyed=bool(self.keys))
            model = self._model(asked.get("model")) if self._models else ""
        await _unless_gone(self._pass(head, client, body, answer, model), receive)

    def _model(self, asked: Any) -> str:
        """Return the model that a request names. Raises Refusal for none of ours: the server may find others on its disk."""
        if isinstance(asked, str) and asked in self._models:
            return asked
        names = ", ".join(self._models)
        if asked in (None, ""):
            raise Refusal(400, "no_model", f"Name a model: {names}.")
        raise Refusal(404, "model_not_found", f"This server has no such model. It has {names}.")

    def _client(self, head: Head) -> Client:
        """Return who asks. Raises Refusal without a key of ours."""
        name = self.keys.owner(head.headers) if self.keys else OWNER
        if name is None:
            raise Refusal(401, "no_key", "This server needs its API key: Authorization: Bearer KEY.")
        return name, neighbourhood(head.client)

    def _meter(self, client: Client) -> None:
        requests, tokens = self.keys.limits(client[0])
        asks = client[0] if requests else client  # a person's own limit holds wherever they ask from
        _refuse_for(max(self._requests.wait(asks, requests), self._tokens.wait(client[0], tokens)))
        self._requests.take(asks, limit=requests)

    async def _tell_metrics(self, head: Head, answer: _Answer) -> None:
        """Answer with the metrics of the front, and with those of the server where it has any."""
        told = b""
        with contextlib.suppress(httpx2.HTTPError, Refusal, TimeoutError):
            async with asyncio.timeout(2.0), self.upstream.ask("GET", METRICS, b"") as response:
                found = b""
                async for piece in response.aiter_bytes():
                    found += piece
                    if len(found) > LONGEST_METRICS:
                        raise TimeoutError
                plain = response.headers.get("content-type", "").startswith("text/plain")
                told = found if response.status_code == 200 and plain else b""
        self.metrics.set_load(self.slots.held, self.slots.queued, self.traffic.unstreamed)
        own = await asyncio.to_thread(self.metrics.text)  # the memory of a process takes a while to add up
        headers = [(b"content-type", CONTENT_TYPE), (b"cache-control", b"no-store"), *shared_with(head)]
        await answer.whole(200, headers, own + told)

    async def _list(self, head: Head, answer: _Answer) -> None:
        """Answer with the models, or the properties of the only one. No request of the counts: `bench` and `chat` ask often."""
        text = b""
        try:
            async with self.upstream.ask("GET", head.path, b"") as response:
                async for piece in response.aiter_bytes():
                    text += piece
                    if len(text) > LONGEST_LIST:
                        raise Refusal(502, "bad_answer", "The server's answer is too long.")
        except httpx2.TransportError:
            raise away() from None
        self._heard()
        if response.status_code == 200:
            text = listed(head.path, text, self._models)
        headers = [(b"content-type", JSON_TYPE), (b"cache-control", b"no-store"), *shared_with(head)]
        await answer.whole(response.status_code, headers, text)

    async def _pass(self, head: Head, client: Client, body: bytes, answer: _Answer, model: str) -> None:
        """Pass a request on as soon as there is a slot, and its answer back as it comes."""
        begun = time.monotonic()
        async with AsyncExitStack() as stack:
            if head.takes_slot:
                self.changed()
                await stack.enter_async_context(self.slots.of(model).one(client))
                self.metrics.wait.observe(time.monotonic() - begun)
                _refuse_for(self._tokens.wait(client[0], self.keys.limits(client[0])[1]))  # used while it waited
            whole = head.takes_slot and _STREAMED.search(body) is None
            self.traffic.requests += 1
            self.traffic.unstreamed += whole
            self.traffic.model = model
            self.changed()
            self.metrics.requests.labels(client[0]).inc()
            try:
                response = await stack.enter_async_context(self.upstream.ask(head.method, head.path, body))
                await self._copy(response, head, client, answer, _Asked(begun, len(body) // BYTES_OF_A_TOKEN))
            except httpx2.TransportError:
                raise away() from None
            finally:
                self.traffic.unstreamed -= whole

    async def _copy(
        self, response: httpx2.Response, head: Head, client: Client, answer: _Answer, asked: _Asked
    ) -> None:
        passed = [(k.lower(), v) for k, v in response.headers.raw if k.lower() in _PASSED]
        events, counted, tail = 0, 0, b""
        streams = head.takes_slot and response.headers.get("content-type", "").startswith("text/event-stream")
        answer_tokens = self.metrics.tokens.labels(client[0], "answer")
        self._heard()
        try:
            await answer.start(response.status_code, [*passed, (b"cache-control", b"no-store"), *shared_with(head)])
            async for piece in response.aiter_raw():
                if streams and not tail:
                    self.metrics.first.observe(time.monotonic() - asked.begun)
                self._heard()
                if not self.keys.valid(client[0]):
                    raise Refusal(401, "no_key", "This key is not valid any more.")
                events += piece.count(b"data:")
                if (more := events - NOT_TOKENS - counted) > 0:  # a long answer counts while it comes
                    answer_tokens.inc(more)
                    self.traffic.tokens += more
                    counted += more
                tail = (tail + piece)[-_TAIL:]
                await answer.send(piece)
        finally:
            prompt, generated = tokens_in(tail) or (asked.prompt if streams else 0, events)
            tokens = prompt + generated
            self.traffic.tokens += prompt + max(0, generated - counted)
            self.metrics.tokens.labels(client[0], "prompt").inc(prompt)
            answer_tokens.inc(max(0, generated - counted))
            self._tokens.take(client[0], tokens, self.keys.limits(client[0])[1])
        await answer.end()

    def _heard(self) -> None:
        self.traffic.seen = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was passed on.

    begun: when it was there as a whole, by the monotonic clock [s]
    prompt: its tokens, as its length says
    """

    begun: float
    prompt: int


class _Answer:
    """The answer to one request."""

    def __init__(self, send: Send, abort: Callable[[], None], patience: float) -> None:
        self.started = False
        self.body_read = False
        self.known = False  # who asks may read the answer: host and page are known
        self.abort = abort
        self._send = send
        self._patience = patience

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send status, headers and body."""
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self._sent({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.started = True
        await self._sent({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body. Raises Refusal if the client does not read."""
        await self._sent({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """Say that the body is complete."""
        await self._sent({"type": "http.response.body", "body": b""})

    async def _sent(self, message: MutableMapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._send(message)
        except TimeoutError:
            raise Refusal(408, "slow", "The answer is not read.") from None


async def _body(receive: Receive, limits: Limits) -> bytes:
    """Return the body of a request. Raises Refusal for one that is too large or too slow."""
    found = bytearray()
    try:
        async with asyncio.timeout(limits.body_time):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "gone", "The request was cut off.")
                found += message.get("body", b"")
                if len(found) > limits.body:
                    raise too_large(limits.body)
                if not message.get("more_body"):
                    return bytes(found)
    except TimeoutError:
        raise Refusal(408, "slow", f"The body did not arrive within {limits.body_time:g} s.") from None


async def _drain(head: Head, receive: Receive) -> None:
    """Read a refused body, and drop it: a sender that is cut off while it sends does not see the refusal."""
    length = next((v for k, v in head.headers if k == b"content-length"), b"0")
    if not length.isdigit() or not 0 < int(length[:12]) <= DRAINED:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_TIME):
            while (await receive()).get("more_body"):
                pass


async def _unless_gone(work: Awaitable[None], receive: Receive) -> None:
    """Do the work, and cancel it when the client hangs up."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in (task, watch):
            if not future.done():
                future.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)
    if not task.cancelled():
        task.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refuse_for(wait: int) -> None:
    """Raise Refusal for a key that has to wait for its next request or token. wait: how long, 0 = it has not to [s]."""
    if wait:
        raise Refusal(429, "rate_limited", f"This key has used its share. Ask again in {wait} s.", retry=wait)


def _nothing() -> None:
    return None


def tokens_in(tail: bytes) -> tuple[int, int] | None:
    """Return the tokens of prompt and answer that the end of an answer tells, None if it does not."""
    counts = {name: int(number) for name, number in _COUNTS.findall(tail)}
    for prompt, generated in _PAIRS:
        if generated in counts:
            return counts.get(prompt, 0), counts[generated]
    return (counts[b"prompt_tokens"], 0) if b"prompt_tokens" in counts else None


def neighbourhood(address: str) -> str:
    """Return what stands for one client: an address, of IPv6 the /64 that one household has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)
