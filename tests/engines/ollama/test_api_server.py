"""The program behind which Ollama keeps a model, in this process: what it loads, passes on, refuses and removes."""

from __future__ import annotations

import io
import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from tests.fakes import fake_ollama_api
from tests.fakes.fake_ollama_api import Ollama

from gyakusan.engines.ollama import api_server

KEY = "a-key-that-nobody-else-has-0123"


@pytest.fixture
def api() -> Iterator[Ollama]:
    with fake_ollama_api.running() as state:
        yield state


def order(api: Ollama, **more: Any) -> dict[str, Any]:
    plain = {"base": api.url, "tag": "qwen3:8b", "made": "gyakusan-x", "context": 4096, "host": "127.0.0.1", "port": 0}
    return plain | {"key": KEY, "alias": "qwen3", "users": 2} | more


@pytest.fixture
def url(api: Ollama) -> Iterator[str]:
    assert api_server.load(order(api)) == 0
    with ThreadingHTTPServer(("127.0.0.1", 0), api_server.Handler.of(order(api))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def asked(url: str, body: bytes | None = None, key: str | None = KEY) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_one_model_behind_a_key(api: Ollama, url: str) -> None:
    assert asked(f"{url}/health", key=None) == (200, {"status": "ok"})
    assert asked(f"{url}/v1/models", key=None)[0] == 401
    assert [m["id"] for m in asked(f"{url}/v1/models")[1]["data"]] == ["qwen3"]
    assert asked(f"{url}/api/tags")[0] == 404
    body = json.dumps({"model": "other:70b", "keep_alive": 0, "options": {"num_ctx": 9}, "prompt": "1"}).encode()
    assert asked(f"{url}/v1/completions", body)[0] == 200
    passed = next(told for path, told in reversed(api.asked) if path == "/v1/completions")
    assert (passed["model"], "keep_alive" in passed, "options" in passed) == ("gyakusan-x", False, False)
    assert asked(f"{url}/v1/completions", body, key="wrong")[0] == 401
    assert asked(f"{url}/api/delete", body)[0] == 404
    assert asked(f"{url}/v1/completions", b"[1]")[0] == 400
    assert asked(f"{url}/v1/completions", b"{")[0] == 400
    api_server.unload(order(api))
    assert (api.made, api.loaded) == ({}, {})


def test_what_cannot_be_loaded_is_said(api: Ollama, capsys: pytest.CaptureFixture[str]) -> None:
    assert api_server.load(order(api, tag="nothing:1b")) == 1
    assert "cannot create nothing:1b" in capsys.readouterr().err
    api.out_of_memory = True
    assert api_server.load(order(api)) == 1
    assert "cannot load qwen3:8b" in capsys.readouterr().err
    assert api_server.load(order(api, base="http://127.0.0.1:1")) == 1
    assert "no Ollama at" in capsys.readouterr().err
    api_server.unload(order(api, base="http://127.0.0.1:1"))
    assert "/api/delete" in capsys.readouterr().err


def test_an_ollama_that_is_gone(api: Ollama) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), api_server.Handler.of(order(api, base="http://127.0.0.1:1"))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        assert asked(f"http://127.0.0.1:{server.server_port}/v1/completions", b"{}")[0] == 503
        server.shutdown()


def test_the_model_is_removed_at_the_end(api: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda *_: None)
    try:
        for more, rc in (({}, 0), ({"tag": "nothing:1b"}, 1), ({"host": "192.0.2.1"}, 1)):
            monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(order(api, **more))))
            assert api_server.main() == rc
            assert (api.made, api.loaded) == ({}, {})
    finally:
        signal.signal(signal.SIGTERM, before)
