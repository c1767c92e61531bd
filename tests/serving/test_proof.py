"""A server is asked for its first token until it gives one, refuses, or nobody waits any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gyakusan.errors import ServerError
from gyakusan.serving import proof
from gyakusan.serving.proof import Proof


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[int], list[str | None]]]:
    """A server that answers with the statuses of a list, the last one again and again; what keys it saw."""
    statuses: list[int] = []
    keys: list[str | None] = []
    monkeypatch.setattr(proof, "PAUSE", 0.02)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keys.append(self.headers["Authorization"])
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.end_headers()
            self.wfile.write(b"a word\n")

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}", statuses, keys
        made.shutdown()


def told(asked: Proof, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not asked.told() and time.monotonic() < end:
        time.sleep(0.01)
    return asked.told()


def test_it_asks_again_while_the_model_loads(server: tuple[str, list[int], list[str | None]]) -> None:
    url, statuses, keys = server
    statuses += [503, 503, 200]
    assert told(Proof(url, "a-key"))
    assert keys == ["Bearer a-key"] * 3


def test_a_refusal_is_told(server: tuple[str, list[int], list[str | None]]) -> None:
    url, statuses, keys = server
    statuses.append(404)
    with pytest.raises(ServerError, match=r"gives no token: it answers 404, a word"):
        told(Proof(url, None))
    assert keys == [None]


def test_it_ends_with_the_start() -> None:
    asked = Proof("http://127.0.0.1:9", None)
    assert not asked.told()
    asked.end()
    asked._thread.join(5)
    assert not asked._thread.is_alive()
