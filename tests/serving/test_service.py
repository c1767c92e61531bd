"""A real server behind its front: people reach it by the front alone, and it is started again. Loopback only."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import gyakusan
from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.errors import BadReference, ServerError
from gyakusan.serving.chat import chat
from gyakusan.serving.front import people
from gyakusan.serving.running_servers import RunningServer
from gyakusan.serving.server import ServerOptions
from gyakusan.serving.service import Service, ServiceOptions, default_limits
from gyakusan.serving.watchdog import Patience

KEY = "a-key-that-nobody-else-has-0123"
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def prepared(path: Path, patience: Patience = Patience(), **options: object) -> tuple[Service, list[str]]:
    """A service of the small model, and what is told of it."""
    told: list[str] = []
    asked = api.deployment("smollm2", load=Load(2, 512), device="cpu", memory=None)
    inner = ServerOptions(program="embedded", threads=1, **{"key": KEY, **options})  # type: ignore[arg-type]
    return Service(asked, ServiceOptions(inner, None, (), patience, lambda m: told.append(str(m))), path), told


def tended(service: Service, until: object, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        service.tend()
        if until():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def running(smollm2: Path) -> Iterator[tuple[Service, list[str]]]:
    service, told = prepared(smollm2, Patience(quiet=1.0, asleep=1.5, busy=60.0))
    with service:
        yield service, told


def test_people_use_the_front_and_nothing_else(running: tuple[Service, list[str]]) -> None:
    service, _ = running
    assert chat(service.url, "Hi", 1, KEY).completion_tokens == 1
    with pytest.raises(ServerError, match="API key"):
        chat(service.url, "Hi", 1)
    assert service.server.url != service.url
    with pytest.raises(ServerError, match="API key"):
        chat(service.server.url, "Hi", 1, KEY)
    inner = service.server.key
    assert inner is not None
    assert not any(inner in text for text in (*service.server.log, service.curl(), repr(service.options)))
    assert service.front is not None
    assert service.front.traffic.requests == 1
    with pytest.raises(ServerError, match="started already"):
        service.start()


def test_what_a_request_changes_is_told_when_it_begins_and_when_it_ends(
    running: tuple[Service, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = running
    assert service.front is not None
    app, told = service.front.app, []
    before = app.traffic.requests
    monkeypatch.setattr(app, "changed", lambda: told.append((app.slots.held, app.traffic.requests - before)))
    chat(service.url, "Hi", 1, KEY)
    end = time.monotonic() + 20
    while (not told or told[-1] != (0, 1)) and time.monotonic() < end:
        time.sleep(0.01)
    assert (1, 1) in told
    assert told[-1] == (0, 1)


def test_it_tells_while_a_server_is_started_again(running: tuple[Service, list[str]]) -> None:
    front = running[0].front
    assert front is not None
    target = front.app.upstream.target
    assert not running[0].live().starting
    front.point(None)
    assert running[0].live().starting
    front.point(target)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_ends_or_stalls_is_started_again(running: tuple[Service, list[str]], number: int) -> None:
    service, told = running
    told.clear()
    before, address = service.server.pid, service.url
    assert before is not None
    os.kill(before, number)
    assert tended(service, lambda: service.server.pid not in (None, before))
    assert service.url == address
    assert chat(service.url, "Hi", 1, KEY).completion_tokens == 1
    assert any("starts again in" in line for line in told)
    assert told[-1] == "The server is ready."


def test_a_server_that_cannot_start_again_is_given_up(
    smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyakusan.serving.service.RESTARTS", 2)
    monkeypatch.setattr("gyakusan.serving.service.FIRST_PAUSE", 0.01)
    model = tmp_path / "model.gguf"
    shutil.copy(smollm2, model)
    log = tmp_path / "server.log"
    service, told = prepared(model, log_file=log)
    with service:
        pid = service.server.pid
        assert pid is not None
        first = log.read_text()
        model.write_bytes(b"GGUF")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ServerError, match="did not start"):
            tended(service, lambda: False)
        assert len([line for line in told if "starts again" in line]) == 2
        assert log.read_text().startswith(first[:1000])
    with pytest.raises(ServerError, match="does not answer"):
        chat(service.url, "Hi", 1, KEY, timeout=2)


def test_nothing_is_left_of_a_start_that_fails(tmp_path: Path) -> None:
    service, _ = prepared(tmp_path / "gone.gguf")
    with pytest.raises(BadReference, match="does not exist"), service:
        pytest.fail("started")
    service.stop()


def test_limits_of_a_deployment() -> None:
    asked = api.deployment("smollm2", load=Load(4, 2048), device="cpu", memory=None)
    limits = default_limits(asked, key_slots=2)
    assert (limits.slots, limits.slots_of_one(keyed=True), limits.slots_of_one(keyed=False)) == (4, 2, 2)
    assert default_limits(asked).slots_of_one(keyed=True) == 3
    assert default_limits(asked).slots_of_one(keyed=False) == 4


HOLDER = """
    import os, sys, time
    from gyakusan.serving import access
    from gyakusan.serving.server import leave_on_signals

    leave_on_signals()
    granted = access.grant_access("192.0.2.1", 8080, None)
    print(granted.path, flush=True)
    try:
        time.sleep(60)
    finally:
        granted.remove_key_file()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT", "SIGKILL"])
def test_the_made_key_never_stays(tmp_path: Path, name: str) -> None:
    own = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    environment = {**own, "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "XDG_STATE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(HOLDER)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **pipes) as holder:  # type: ignore[call-overload]
        path = Path(holder.stdout.readline().decode().strip())
        assert path.parent == tmp_path / "gyakusan" / "keys"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        holder.send_signal(getattr(signal, name))
        holder.wait(20)
    end = time.monotonic() + 10
    while path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not path.exists()


def test_people_with_keys_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on this computer alone: a key is made for the owner, and each person shows another."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    key = people.add("aiko", today=date.today())
    options = {"program": "embedded", "threads": 1}
    with gyakusan.serve("smollm2", people_keys=True, context=512, device="cpu", options=options) as service:
        assert service.key_path is not None
        assert service.key_path.read_text().strip() == service.key != key
        assert f"$(cat {service.key_path})" in service.curl()
        for shown in (key, service.key):
            assert chat(service.url, "Hi", 1, shown).completion_tokens == 1
        with pytest.raises(ServerError, match="API key"):
            chat(service.url, "Hi", 1)
        people.revoke("aiko")
        time.sleep(people.LOOK)
        with pytest.raises(ServerError, match="API key"):
            chat(service.url, "Hi", 1, key)
    assert not service.key_path.exists()


def test_whether_people_may_ask_is_written_down(tmp_path: Path) -> None:
    asked = api.deployment("smollm2", load=Load(2, 512), device="cpu", memory=None)
    for file in (None, tmp_path / "people.json"):
        service = Service(asked, ServiceOptions(entry=RunningServer(url=""), people_keys=file))
        assert service.entry is not None
        assert service.entry.people_keys is (file is not None)


def test_the_line_to_try_it_with(running: tuple[Service, list[str]]) -> None:
    service, _ = running
    line = service.curl("it's me")
    assert f"{service.url}/chat/completions" in line
    assert '-H "Authorization: Bearer $GYAKUSAN_API_KEY"' in line
    if shutil.which("curl"):
        environment = {**os.environ, "GYAKUSAN_API_KEY": KEY}
        made = line.replace('"max_tokens": 64', '"max_tokens": 1')
        done = subprocess.run(["sh", "-c", made], env=environment, capture_output=True, check=True, timeout=60)
        assert json.loads(done.stdout)["usage"]["completion_tokens"] == 1
