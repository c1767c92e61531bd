"""A stand-in for the model server: it counts, streams slowly, and notices who hangs up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from gyakusan.serving.front.keys import KeyOwners, Keys
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.running import Front
from gyakusan.serving.front.upstream import Target

KEY, INNER = "the-key-of-the-owner-0123", "the-key-that-only-the-front-knows"
ANSWER = {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}


@dataclass
class Heard:
    """What the stand-in was asked."""

    paths: list[str] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    cut: int = 0
    now: int = 0
    most: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def count(self, step: int) -> None:
        with self.lock:
            self.now += step
            self.most = max(self.most, self.now)


class Handler(BaseHTTPRequestHandler):
    """`wait` in a request's body: seconds until the answer; `stream`: so many events, 20 ms apart."""

    protocol_version = "HTTP/1.1"
    heard: Heard

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.heard.paths.append(self.path)
        if self.path == "/metrics":
            self._send(b"vllm:kv_cache_usage_perc 0.5\n", "text/plain; version=0.0.4")
        else:
            self._json(b"{}")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.heard.paths.append(self.path)
        self.heard.keys.add(self.headers["Authorization"])
        self.heard.count(1)
        try:
            time.sleep(asked.get("wait", 0))
            if asked.get("stream"):
                self._stream(asked["stream"])
            else:
                self._json(json.dumps(ANSWER).encode())
        except OSError:
            self.heard.cut += 1
        finally:
            self.heard.count(-1)

    def _json(self, body: bytes) -> None:
        self._send(body, "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(events):
            data = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
            time.sleep(0.02)
        self.wfile.write(b"0\r\n\r\n")


@dataclass
class Running:
    """A front, the stand-in behind it, and a client with the key."""

    front: Front
    heard: Heard
    url: str

    def client(self, key: str | None = KEY) -> httpx2.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def post(self, path: str = "/v1/chat/completions", **options: Any) -> httpx2.Response:
        with self.client() as client:
            return client.post(path, **({"json": {}} | options))


Open = Callable[..., Running]


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Return True as soon as the condition holds, False if it does not in time [s]."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens fronts with the given limits, and ends them all."""
    ends: list[Callable[[], None]] = []

    def open_front(
        key: str | None = KEY, names: tuple[str, ...] = (), owners: KeyOwners | None = None, **limits: Any
    ) -> Running:
        heard = Heard()
        kind = type("Bound", (Handler,), {"heard": heard})
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        front = Front("127.0.0.1", 0, Keys.of(key, owners), Limits(**limits), names)
        front.point(Target(f"http://127.0.0.1:{server.server_port}", INNER))
        front.start()
        ends.extend((server.shutdown, server.server_close, front.stop))
        return Running(front, heard, f"http://127.0.0.1:{front.port}")

    yield open_front
    for end in reversed(ends):
        end()
