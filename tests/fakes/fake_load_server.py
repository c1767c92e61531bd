"""A fake of an OpenAI-compatible server on loopback: fast, right, or broken in one way. Not a model: it sends fixed pieces."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(slots=True)
class FakeChat:
    """What the fake does, and what it saw."""

    tokens: int | None = None
    """None: as many as are asked for."""
    first: float = 0.0
    """Before the first piece. [s]"""
    gap: float = 0.0
    """Between pieces. [s]"""
    pieces: int = 1
    """Tokens in one piece."""
    usage: bool = True
    fault: str = ""
    """How it breaks: a status ("429"), or a word of `_broken`."""
    after: int = 0
    """Good answers before it breaks."""
    key: str = ""
    slots: int = 64
    build: str = "fake-1"
    """As /props tells it."""
    strict: bool = False
    """Refuses what the OpenAI API does not know."""
    asked: list[dict[str, object]] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    """When each first piece was sent, time.monotonic(). [s]"""
    connections: int = 0
    open: list[asyncio.Transport] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Connection(asyncio.Protocol):
    def __init__(self, fake: FakeChat) -> None:
        self.fake, self.rest = fake, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.out = transport
        assert isinstance(transport, asyncio.Transport)
        self.fake.connections += 1
        self.fake.open.append(transport)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head = self.rest[:end].decode()
            length = next(
                (int(v.partition(":")[2]) for v in head.split("\r\n") if v.lower().startswith("content-length:")), 0
            )
            if len(self.rest) < end + 4 + length:
                return
            body, self.rest = self.rest[end + 4 : end + 4 + length], self.rest[end + 4 + length :]
            asyncio.get_running_loop().create_task(self.answer(head, body))

    def write(self, data: bytes) -> None:
        self.out.write(data)  # type: ignore[attr-defined]

    def chunk(self, text: str | dict[str, object]) -> None:
        if isinstance(text, dict) and "choices" in text:
            text = {"object": "chat.completion.chunk", **text}  # aiperf reads nothing else
        event = f"data: {text if isinstance(text, str) else json.dumps(text)}\n\n".encode()
        self.write(b"%x\r\n%s\r\n" % (len(event), event))

    def plain(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
            + raw
        )

    async def answer(self, head: str, body: bytes) -> None:
        fake = self.fake
        if head.startswith("GET"):
            known = {
                "/v1/models": {"data": [{"id": "fake"}]},
                "/props": {"total_slots": fake.slots, "build_info": fake.build},
            }
            known["/health"] = {}
            page = head.split()[1]
            self.plain(200 if page in known else 404, known.get(page, {}))
            return
        if not body:
            self.plain(400, {"error": {"message": "no body"}})
            return
        asked = json.loads(body)
        fake.asked.append(asked)
        if fake.key and f"authorization: bearer {fake.key}" not in head.lower():
            self.plain(401, {"error": {"message": "wrong key"}})
        elif fake.strict and {"ignore_eos", "cache_prompt"} & set(asked):
            self.plain(400, {"error": {"message": "unknown argument"}})
        elif fake.fault and len(fake.asked) > fake.after:
            await self.broken(fake.fault)
        else:
            await self.stream(asked)

    async def stream(self, asked: dict[str, object]) -> None:
        fake = self.fake
        tokens = (
            fake.tokens
            if fake.tokens is not None
            else int(str(asked.get("max_completion_tokens") or asked["max_tokens"]))
        )
        words = sum(len(str(m["content"]).split()) for m in asked["messages"])  # type: ignore[attr-defined]
        self.write(HEAD)
        self.chunk({"choices": [{"delta": {"role": "assistant", "content": None}}]})
        if fake.first:
            await asyncio.sleep(fake.first)
        fake.sent.append(time.monotonic())
        for i in range(0, tokens, fake.pieces):
            if i and fake.gap:
                await asyncio.sleep(fake.gap)
            self.chunk(
                {"choices": [{"delta": {"content": "word " * min(fake.pieces, tokens - i)}, "finish_reason": None}]}
            )
        self.chunk({"choices": [{"delta": {}, "finish_reason": "length"}]})
        if fake.usage:
            self.chunk({"choices": [], "usage": {"prompt_tokens": words + 10, "completion_tokens": tokens}})
        self.chunk("[DONE]")
        self.write(b"0\r\n\r\n")

    async def broken(self, fault: str) -> None:
        if fault.isdecimal():
            self.plain(int(fault), {"error": {"message": f"it is \x1b[31mstatus\x1b[0m {fault}"}})
        elif fault == "hang":
            self.write(HEAD)
        elif fault == "drip":
            self.write(HEAD)
            while not self.out.is_closing():
                self.chunk({"choices": [{"delta": {"content": "x"}}]})
                await asyncio.sleep(0.05)
        elif fault == "cut":
            self.write(HEAD)
            self.chunk({"choices": [{"delta": {"content": "x"}}]})
            await asyncio.sleep(0.02)
            self.out.abort()  # type: ignore[attr-defined]
        elif fault == "noise":
            self.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        elif fault == "html":
            self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
        elif fault == "json":
            self.write(HEAD)
            self.chunk("{not json")
        elif fault == "stream_error":
            self.write(HEAD)
            self.chunk({"error": {"message": "out of memory", "code": 500}})
        elif fault == "empty":
            self.write(HEAD)
            self.chunk({"choices": [{"delta": {}, "finish_reason": "stop"}]})
            self.chunk("[DONE]")
            self.write(b"0\r\n\r\n")
        elif fault == "endless_line":
            self.write(HEAD)
            for _ in range(40):
                self.write(b"%x\r\n%s\r\n" % (65536, b"x" * 65536))


@contextlib.contextmanager
def serving(fake: FakeChat) -> Iterator[FakeChat]:
    """Run the fake in a thread of its own."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    servers: list[asyncio.Server] = []

    async def run() -> None:
        server = await loop.create_server(lambda: _Connection(fake), "127.0.0.1", fake.port)
        fake.port = server.sockets[0].getsockname()[1]
        servers.append(server)
        ready.set()

    def work() -> None:
        loop.run_until_complete(run())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield fake
    finally:

        def stop() -> None:
            servers[0].close()
            for out in fake.open:
                out.abort()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.call_later(0.01, loop.stop)

        loop.call_soon_threadsafe(stop)
        thread.join(10)
        loop.close()
