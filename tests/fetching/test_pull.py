"""Ollama fetches by itself: its progress and its errors in our words. The fake speaks docs/api.md, "Pull a Model"."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.fakes import fake_ollama

from gyakusan import errors
from gyakusan.fetching import pull, wanted
from gyakusan.fetching.get import Ask, Getter, Progress

LINES: list[object] = [
    {"status": "pulling manifest"},
    {"status": "pulling aaa", "digest": "sha256:aaa", "total": 1000},
    {"status": "pulling aaa", "digest": "sha256:aaa", "total": 1000, "completed": 600},
    {"status": "pulling bbb", "digest": "sha256:bbb", "total": 20, "completed": 20},
    {"status": "pulling aaa", "digest": "sha256:aaa", "total": 1000, "completed": 1000},
    {"status": "verifying sha256 digest"},
    {"status": "writing manifest"},
    {"status": "success"},
]


class Fake:
    """A fake Ollama: what it answers to /api/pull, and what it was asked."""

    def __init__(self) -> None:
        self.lines: list[object] = LINES
        self.status = 200
        self.raw = b""
        self.asked: list[object] = []
        self.when_done: Callable[[], None] = lambda: None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    found = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(found.status)
            self.send_header("Content-Type", "application/x-ndjson")
            self.end_headers()
            found.when_done()
            self.wfile.write(found.raw or b"".join(json.dumps(line).encode() + b"\n" for line in found.lines))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_port}")
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def test_progress_counts_all_layers(fake: Fake) -> None:
    seen: list[tuple[int, int]] = []
    pull.pull("qwen3:8b", lambda done, total: seen.append((done, total)))
    assert fake.asked == [("/api/pull", {"model": "qwen3:8b"})]
    assert seen == [(0, 1000), (600, 1000), (620, 1020), (1020, 1020)]


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("pull model manifest: file does not exist", errors.BadReference, "Ollama finds no model qwen3:8b"),
        ("write /x: no space left on device", errors.SourceError, "The disk of Ollama's models is full"),
        (
            "max retries exceeded\x1b[2J",
            errors.SourceError,
            r"could not fetch qwen3:8b: max retries exceeded \[2J\. Try",
        ),
    ],
)
def test_its_errors_in_our_words(fake: Fake, line: str, kind: type[Exception], said: str) -> None:
    fake.lines = [{"status": "pulling manifest"}, {"error": line}]
    with pytest.raises(kind, match=said):
        pull.pull("qwen3:8b", lambda *_: None)


@pytest.mark.parametrize("raw", [b"<html>", b"[1]\n", b"x" * 200_000, b'{"a":' * 50_000])
def test_what_is_not_ollama(fake: Fake, raw: bytes) -> None:
    fake.raw = raw
    with pytest.raises(errors.SourceError, match="is not Ollama"):
        pull.pull("qwen3:8b", lambda *_: None)


def test_an_end_without_success(fake: Fake) -> None:
    fake.lines = LINES[:3]
    with pytest.raises(errors.SourceError, match=r"stopped fetching qwen3:8b .*Ollama goes on from there"):
        pull.pull("qwen3:8b", lambda *_: None)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(
        errors.SourceError, match=r"Ollama does not answer at http://127\.0\.0\.1:9\. Start it: ollama serve"
    ):
        pull.pull("qwen3:8b", lambda *_: None)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:80", "http://box:80"),
        ("https://box", "https://box:443"),
        ("http://box/path", "http://box:80"),
        ("[::]:1", "http://[::1]:1"),
        (":1234", "http://127.0.0.1:1234"),
    ],
)
def test_where_ollama_listens(monkeypatch: pytest.MonkeyPatch, said: str, address: str) -> None:
    """As Ollama's own envconfig reads OLLAMA_HOST."""
    monkeypatch.setenv("OLLAMA_HOST", said)
    assert pull.address() == address


@pytest.mark.parametrize("said", ["ftp://box", "box:port", "a b"])
def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", said)
    with pytest.raises(errors.BadSetting, match="OLLAMA_HOST is no address"):
        pull.address()


def test_a_tag_is_pulled_and_found(fake: Fake, home: Path) -> None:
    blobs = [("model", b"m" * 1000, {}), ("template", b"t" * 20, {})]
    fake.when_done = lambda: fake_ollama.pull(home / "ollama", "registry.ollama.ai/library/qwen3", "8b", blobs)
    asked: list[Ask] = []
    seen: list[Progress] = []
    got = Getter(on_ask=asked.append, report=seen.append).get(wanted.of_text("ollama:qwen3:8b"))
    assert (got.state, got.program, got.bytes, got.checked) == ("fetched", "Ollama", 1020, True)
    assert got.path is not None
    assert got.path.read_bytes() == b"m" * 1000
    assert (seen[-1].done, seen[-1].total) == (1020, 1020)
    assert asked[0].place is None
    again = Getter(offline=True).get(wanted.of_text("ollama:qwen3:8b"))
    assert (again.state, len(fake.asked)) == ("here", 1)


def test_a_store_of_another_computer(fake: Fake) -> None:
    got = Getter().get(wanted.of_text("ollama:qwen3:8b"))
    assert (got.state, got.path, got.bytes) == ("fetched", None, 1020)


def test_ollama_has_its_own_store(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(errors.BadReference, match="--to does not move it"):
        Getter(to=tmp_path).get(wanted.of_text("ollama:qwen3:8b"))
    assert Getter(dry_run=True).get(wanted.of_text("ollama:qwen3:8b")).state == "planned"
    assert fake.asked == []
