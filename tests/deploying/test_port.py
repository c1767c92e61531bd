"""Where Ray's proxy answers: an HTTP server stands in for it, which knows the application late, or never."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gyakusan.deploying import cluster
from gyakusan.errors import ServerError


@contextmanager
def fake_proxy(answers: list[object]) -> Iterator[int]:
    """A server that gives these answers one after another, the last again and again. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("early", [{}, [], None, "nonsense"])
def test_a_proxy_may_hear_of_an_application_late(early: object) -> None:
    """Ray says that an application is ready before every proxy knows its path."""
    with fake_proxy([early, early, {"/": "smollm2"}]) as port:
        cluster._check_port(cluster.Scale(port=port))


def test_another_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PROXY_PATIENCE", 0.5)
    with fake_proxy([{"/other": "model"}]) as port, pytest.raises(ServerError, match="does not answer on port"):
        cluster._check_port(cluster.Scale(port=port))
