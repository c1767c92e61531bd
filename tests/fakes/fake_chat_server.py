"""A fake of a server with OpenAI's chat API: it streams pieces, and misbehaves as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeChat:
    """asked: the bodies of the requests; keys: their Authorization; mood: what goes wrong."""

    pieces: tuple[str, ...] = ("Hello", ", ", "world\u001b[31m!")
    thinking: tuple[str, ...] = ()
    models: tuple[str, ...] = ("smol",)
    key: str = ""
    mood: str = ""
    pause: float = 0.0
    usage: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    base: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chat: FakeChat

    def do_GET(self) -> None:
        if self._guarded():
            rows = [{"id": m, "object": "model"} for m in self.chat.models]
            self._send(200, {"object": "list", "data": rows} if self.chat.mood != "garbage" else [1])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.chat.asked.append(body)
        if not self._guarded():
            return
        if self.chat.mood == "long":
            self._send(400, {"error": {"message": "the request exceeds the available context size", "code": 400}})
        elif body.get("stream"):
            self._stream(body)
        else:
            text = "".join(self.chat.pieces)
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            self._send(
                200, {"id": "1", "object": "chat.completion", "created": 1, "model": "smol", "choices": [choice]}
            )

    def _stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        deltas = [{"reasoning_content": t} for t in self.chat.thinking] + [{"content": t} for t in self.chat.pieces]
        try:
            if self.chat.mood == "nonsense":
                self.wfile.write(b"data: [1, 2\n\n")
            for number, delta in enumerate(deltas):
                self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                time.sleep(self.chat.pause)
                if self.chat.mood == "dies" and number == 0:
                    return
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            if self.chat.usage and body.get("stream_options", {}).get("include_usage"):
                self._event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.chat.gone.set()

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def _guarded(self) -> bool:
        said = self.headers.get("Authorization", "")
        self.chat.keys.append(said)
        if self.chat.key and said != f"Bearer {self.chat.key}":
            self._send(401, {"error": {"message": "Invalid API Key"}})
            return False
        return True

    def _send(self, status: int, answer: object) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fake_chat(**changes: Any) -> Iterator[FakeChat]:
    """A fake server that answers at `base` while the block runs."""
    chat = FakeChat(**changes)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"chat": chat}))
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    chat.base = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
