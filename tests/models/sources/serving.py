"""A real web server on loopback that can be told to misbehave."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 2**20
BIG = random.Random(1).randbytes(3 * MIB)


@dataclass
class Site:
    """files by path; answers: what to do instead for a path; log: (path, Range, Authorization) of each request."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Callable[[Handler], None]] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)
    sent: int = 0
    base: str = ""
    closing: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Serves ranges of the site's files, or what the site's answer for the path does."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.site.log.append((self.path, self.headers.get("Range", ""), self.headers.get("Authorization", "")))
        answer = self.site.answers.get(path)
        try:
            if answer is not None:
                answer(self)
            elif path in self.site.files:
                self.part(self.site.files[path])
            else:
                self.head(404)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def part(self, data: bytes, **headers: str) -> None:
        """The range that was asked for, as a good server sends it."""
        start, stop = self.asked(len(data))
        if start >= len(data):
            self.head(416, Content_Range=f"bytes */{len(data)}")
            return
        self.head(206, stop - start, **{"Content_Range": f"bytes {start}-{stop - 1}/{len(data)}", **headers})
        self.body(data[start:stop])

    def asked(self, size: int) -> tuple[int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert match is not None
        return int(match[1]), min(int(match[2]) + 1, size)

    def head(self, status: int, length: int = 0, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(length), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, data: bytes) -> None:
        for i in range(0, len(data), 65536):
            self.wfile.write(data[i : i + 65536])
            self.site.sent += len(data[i : i + 65536])

    def drip(self, data: bytes, pause: float) -> None:
        """One byte at a time, until the test ends."""
        for byte in data:
            if self.site.closing.is_set():
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(pause)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Site]:
    """A Site that answers at `site.base` while the block runs."""
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    site.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


# Answers


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.head(code, **headers)


def whole(kind: str) -> Callable[[Handler], None]:
    """Ignores the range and sends 256 MiB."""

    def answer(handler: Handler) -> None:
        handler.head(200, 256 * MIB, Content_Type=kind)
        for _ in range(256):
            handler.body(bytes(MIB))

    return answer


def slow_body(handler: Handler) -> None:
    handler.head(206, 1000, Content_Range="bytes 0-999/1000")
    handler.drip(bytes(1000), 0.05)
