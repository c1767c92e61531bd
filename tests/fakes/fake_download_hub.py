"""A fake of the hub as its downloads are: API, HEAD and GET of resolve, links to a content network, ranges, and several lies.

What huggingface_hub 2.4 and llama.cpp need of it is there: X-Repo-Commit, ETag, X-Linked-Etag, X-Linked-Size, Location.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40
SMALL = (".json", ".txt", ".md", ".jinja")


@dataclass
class Lies:
    """What goes wrong. Each list is used up from its front.

    statuses: answers of the content network before it behaves; 0 = as it should be
    retry_after: header of these answers
    cut_at: the content network closes the connection after so many bytes of an answer
    cuts: how often it does so
    hang: seconds of silence before the first byte of a file
    drip: seconds between bytes
    listed: sizes that the list of files claims, by file
    total: sizes that the content network claims, by file
    bytes: other contents that the content network sends, by file
    moved_to: where resolve sends people instead of /cdn
    gated: True if files need a token that has agreed
    no_ranges: the content network sends whole files
    no_digests: the list names no checksums
    """

    statuses: list[int] = field(default_factory=list)
    retry_after: str = ""
    cut_at: int = 0
    cuts: int = 0
    hang: float = 0.0
    drip: float = 0.0
    listed: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, bytes] = field(default_factory=dict)
    moved_to: str = ""
    gated: bool = False
    no_ranges: bool = False
    no_digests: bool = False


@dataclass
class FakeHub:
    """Repositories by owner/name. log: (method, path, Range, Authorization) of each request."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lies: Lies = field(default_factory=Lies)
    log: list[tuple[str, str, str, str]] = field(default_factory=list)
    sent: int = 0
    base: str = ""
    token: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def asked(self, part: str) -> list[tuple[str, str, str, str]]:
        """Requests whose path has `part`."""
        return [entry for entry in self.log if part in entry[1]]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(name: str) -> bool:
    return not name.endswith(SMALL)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        said = self.headers.get("Authorization", "")
        self.hub.log.append((self.command, self.path, self.headers.get("Range", ""), said))
        try:
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|refs)(?:/(.+))?)?", path):
                self._api(match[1], match[2] or "")
            elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._resolve(match[1], match[3], said)
            elif match := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
                self._file(match[1], match[2])
            else:
                self._head(404)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _api(self, name: str, what: str) -> None:
        files = self.hub.repositories.get(name)
        if files is None:
            self._head(401 if not self.headers.get("Authorization") else 404)
            return
        found: object
        if what == "refs":
            found = {"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT}], "tags": []}
        elif what == "tree":
            found = [self._row(n, b) for n, b in files.items()]
        else:
            found = {"id": name, "sha": COMMIT, "gated": "manual" if self.hub.lies.gated else False}
            found["siblings"] = [self._sibling(n, b) for n, b in files.items()]
        body = json.dumps(found).encode()
        self._head(200, len(body), {"Content-Type": "application/json"})
        self._body(body)

    def _sibling(self, name: str, data: bytes) -> dict[str, object]:
        size = self.hub.lies.listed.get(name, len(data))
        found: dict[str, object] = {"rfilename": name, "size": size, "blobId": git_sha1(data)}
        if is_large(name):
            found["lfs"] = {"sha256": sha256(data), "size": size, "pointerSize": 135}
        return {"rfilename": name, "size": size} if self.hub.lies.no_digests else found

    def _row(self, name: str, data: bytes) -> dict[str, object]:
        row: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": git_sha1(data)}
        return {**row, "lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 135}} if is_large(name) else row

    def _resolve(self, name: str, file: str, said: str) -> None:
        data = self.hub.repositories.get(name, {}).get(file)
        if data is None:
            self._head(404, 0, {"X-Error-Code": "EntryNotFound" if name in self.hub.repositories else "RepoNotFound"})
        elif self.hub.lies.gated and said != f"Bearer {self.hub.token}":
            self._head(
                403 if said else 401, 0, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."}
            )
        elif is_large(file):
            place = self.hub.lies.moved_to or f"/cdn/{name}/{file}?Signature=s3cret-signature"
            linked = {"X-Linked-Etag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data))}
            self._head(302, 0, {**linked, "X-Repo-Commit": COMMIT, "Location": place, "ETag": f'"{sha256(data)}"'})
        else:
            self._part(file, data, {"X-Repo-Commit": COMMIT, "ETag": f'"{git_sha1(data)}"', "Accept-Ranges": "bytes"})

    def _file(self, name: str, file: str) -> None:
        lies = self.hub.lies
        if self.command == "GET" and lies.hang:
            self.hub.closing.wait(lies.hang)
        status = lies.statuses.pop(0) if lies.statuses else 0
        if status:
            self._head(status, 0, {"Retry-After": lies.retry_after} if lies.retry_after else {})
            return
        data = lies.bytes.get(file, self.hub.repositories[name][file])
        self._part(file, data, {"ETag": f'"{sha256(data)}"'})

    def _part(self, file: str, data: bytes, headers: dict[str, str]) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        total = self.hub.lies.total.get(file, len(data))
        if match is None or self.hub.lies.no_ranges:
            self._head(200, total, headers)
            self._body(data)
            return
        start = int(match[1])
        if start >= len(data):
            self._head(416, 0, {"Content-Range": f"bytes */{len(data)}"})
            return
        stop = min(int(match[2]) + 1 if match[2] else len(data), len(data))
        self._head(206, stop - start, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{total}"})
        self._body(data[start:stop])

    def _head(self, status: int, length: int = 0, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, data: bytes) -> None:
        if self.command == "HEAD":
            return
        lies = self.hub.lies
        if lies.cuts and lies.cut_at and len(data) > lies.cut_at and self.path.startswith("/cdn"):
            lies.cuts -= 1
            self.wfile.write(data[: lies.cut_at])
            self.wfile.flush()
            self.hub.sent += lies.cut_at
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if lies.drip and self.path.startswith("/cdn"):
            for byte in data:
                if self.hub.closing.is_set():
                    return
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(lies.drip)
            return
        for i in range(0, len(data), 65536):
            self.wfile.write(data[i : i + 65536])
            self.hub.sent += len(data[i : i + 65536])

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A fake hub that answers at `hub.base` while the block runs."""
    hub = FakeHub()
    server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
