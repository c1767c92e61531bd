"""Running servers while somebody looks: asked once a second at most, their last minutes kept, one that is silent told so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from msgspec import structs
from tests.fakes.fake_model_server import Open, opened

from gyakusan.errors import ServerError
from gyakusan.serving import running_servers
from gyakusan.serving.running_servers import RunningServer
from gyakusan.web import live_servers
from gyakusan.web.live_servers import MOST_KEPT, LiveServers

__all__ = ["opened"]  # the fixture

ENTRY = RunningServer(name="office", url="", model="m", users=2, context=512, ready=True)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_memory_now_and_before(opened: Open) -> None:
    running, clock = opened(key=None), Clock()
    running.front.app.metrics.watch_memory(lambda: 2.0**29)
    running_servers.claim(running_servers.here(structs.replace(ENTRY, url=f"{running.url}/v1")))
    servers = LiveServers(clock)
    first = servers.look()[0]
    assert (first.entry.name, len(first.looks), first.rates, first.problem) == ("office", 1, None, None)
    assert first.now is not None
    assert first.now.resident == 2**29
    running.post()
    assert servers.look() == (first,), "asked a moment ago: the same answer for every page"
    clock.now += 1
    second = servers.look()[0]
    assert second.rates is not None
    assert second.now is not None
    assert (len(second.looks), second.now.requests) == (2, 1)
    for _ in range(MOST_KEPT):
        servers.look(fresh=True)
    assert len(servers.look()[0].looks) == MOST_KEPT
    running_servers.remove(servers.look()[0].entry)
    assert servers.look(fresh=True) == ()


def test_one_that_loads_is_not_asked_and_a_silent_one_is_told() -> None:
    loading = running_servers.here(structs.replace(ENTRY, url="http://127.0.0.1:1/v1", ready=False))
    running_servers.claim(loading)
    seen = LiveServers().look()[0]
    assert (seen.looks, seen.problem) == ((), None)
    running_servers.update(structs.replace(loading, ready=True))
    seen = LiveServers().look()[0]
    assert seen.now is None
    assert "does not answer" in str(seen.problem)


def test_a_silent_server_holds_up_one_page_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one page waits for a server, the others get the last answer."""
    running_servers.claim(running_servers.here(structs.replace(ENTRY, url="http://127.0.0.1:1/v1")))
    asking, go_on = threading.Event(), threading.Event()

    def silent(endpoint: object) -> None:
        asking.set()
        assert go_on.wait(20)
        raise ServerError("{url} does not answer.", url="x")

    clock = Clock()
    servers = LiveServers(clock)
    before = servers.look()
    clock.now += 5
    monkeypatch.setattr(live_servers, "observe", silent)
    waiting = threading.Thread(target=servers.look, daemon=True)
    waiting.start()
    assert asking.wait(20)
    assert servers.look() is before
    go_on.set()
    waiting.join(20)
    assert servers.look() is not before
