"""A model of Ollama behind our supervisor, with a fake of Ollama's API: context, keep_alive, key, one model, failures."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tests.fakes import fake_ollama_api
from tests.fakes.fake_ollama_api import Ollama

from gyakusan.engines.ollama import server as ollama
from gyakusan.engines.ollama.server import Loaded
from gyakusan.engines.ollama.settings import Settings
from gyakusan.engines.server import Endpoint
from gyakusan.errors import BadSetting, ServerError
from gyakusan.message import Message
from gyakusan.serving.chat import chat
from gyakusan.serving.server import Server, ServerOptions

KEY = "a-key-that-nobody-else-has-0123"
pytestmark = pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="POSIX processes")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    with fake_ollama_api.running() as state:
        monkeypatch.setenv("OLLAMA_HOST", state.url)
        yield state


def prepared(tag: str = "qwen3:8b", **options: Any) -> Server[Settings, Loaded]:
    made = ServerOptions(**{"key": KEY, "deadline": 60.0, **options})
    return Server(tag, Settings(4096, 2), ollama, made)  # type: ignore[arg-type]


def test_from_loading_to_unloading(api: Ollama) -> None:
    told: list[str] = []

    def hear(message: Message, _seconds: float) -> None:
        told.append(str(message))

    with prepared(on_progress=hear) as server:
        (made,) = api.made
        assert made.startswith("gyakusan-qwen3-8b-")
        assert api.made[made] == {"num_ctx": 4096}
        assert api.loaded == {made: -1}
        report = server.report
        assert (report.version, report.size, report.context, report.build) == ("0.33.0", 6_000_000_000, 4096, None)
        assert [(b.device, b.bytes) for b in report.buffers] == [("gpu", 4e9), ("host", 2e9)]
        assert any("OLLAMA_NUM_PARALLEL" in line and "2 are planned" in line for line in told)
        assert chat(server.url, "Hi", 1, KEY).completion_tokens == 1
        with pytest.raises(ServerError, match="API key"):
            chat(server.url, "Hi", 1)
        body = {"model": "other:70b", "keep_alive": 0, "options": {"num_ctx": 9}, "prompt": "1"}
        answer = asked(f"{server.url}/completions", body)
        assert answer["model"] == made
        assert api.asked[-1] == ("/v1/completions", {"model": made, "prompt": "1"})
        assert [m["id"] for m in asked(f"{server.url}/models")["data"]] == ["qwen3:8b"]
        for path, wrong in (("/api/delete", {}), ("/v1/models/x", None)):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                asked(server.url.removesuffix("/v1") + path, wrong)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            asked(f"{server.url}/completions", [1])
        with pytest.raises(urllib.error.HTTPError, match="401"):
            asked(f"{server.url}/models", key="none")
    assert (api.made, api.loaded) == ({}, {})
    assert api.tags == {"qwen3:8b"}


def asked(url: str, body: Any = None, key: str = KEY) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_a_model_that_ollama_does_not_have(api: Ollama) -> None:
    with pytest.raises(ServerError, match=r"does not have qwen3:14b.*ollama pull qwen3:14b"):
        prepared("qwen3:14b").start()


def test_too_little_memory_leaves_nothing_behind(api: Ollama) -> None:
    api.out_of_memory = True
    with pytest.raises(ServerError, match=r"requires more system memory \(9\.1 GiB\).*ollama stop.*--context"):
        prepared().start()
    assert api.made == {}


def test_no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(ServerError, match=r"No Ollama answers at http://127\.0\.0\.1:9.*ollama serve.*OLLAMA_HOST"):
        prepared().start()
    with pytest.raises(BadSetting, match="--threads"):
        prepared(threads=2).start()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("localhost:1", "http://localhost:1"),
        ("http://127.0.0.1:5/", "http://127.0.0.1:5"),
        ("[::]:7", "http://127.0.0.1:7"),
        (":8", "http://127.0.0.1:8"),
        ("[::1]", "http://[::1]:11434"),
    ],
)
def test_where_it_is(text: str, url: str) -> None:
    assert ollama.base(text) == url


def test_another_computer_is_not_asked() -> None:
    with pytest.raises(BadSetting, match=r"names another computer: 192\.0\.2\.1"):
        ollama.base("http://192.0.2.1:11434")


def test_lines_of_the_log() -> None:
    assert ollama.listens("gyakusan: listening on port 5", 5)
    assert not ollama.listens("gyakusan: listening on port 55", 5)
    assert ollama.works("gyakusan: a request")
    assert not ollama.gave_up("gyakusan: a request")
    assert ollama.stage("nothing") is None
    assert str(ollama.stage("gyakusan: load qwen3:8b")) == "Loading the weights."
    assert ollama.read(["rubbish"]).buffers == ()
    assert ollama.title("ollama") == "Ollama"
    failure = ollama.start_failure(["gyakusan: cannot load m: unsupported file"])
    assert failure is not None
    assert failure.kind == "model"
    line = ollama.shell_line(ollama.Path("m"), Settings(4096, 2), Endpoint(key=KEY))
    assert line == "OLLAMA_CONTEXT_LENGTH=4096 OLLAMA_NUM_PARALLEL=2 ollama serve"
