"""Two real models behind one address, on a real llama-server's router. Loopback only; skipped where none works."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.bounded import bounded

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.errors import ServerError
from gyakusan.serving import access
from gyakusan.serving.chat import chat
from gyakusan.serving.model_group import Member, ModelGroup
from gyakusan.serving.preset_file import check_keyed
from gyakusan.serving.server import ServerOptions
from gyakusan.serving.service import Service, ServiceOptions
from gyakusan.serving.watchdog import Patience

KEY = "a-key-that-nobody-else-has-0123"
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def copies(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same model under two names."""
    folder = tmp_path_factory.mktemp("models")
    names = folder / "alpha.gguf", folder / "beta.gguf"
    for name in names:
        shutil.copy(smollm2, name)
    return names


@pytest.fixture
def home(llama_server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, and the program under its usual name on PATH."""
    monkeypatch.setenv("XDG_STATE_HOME", str(llama_server.parent / "state"))
    return llama_server.parent


def grouped(copies: tuple[Path, Path]) -> ModelGroup:
    asked = [api.deployment(str(path), load=Load(2, 512), device="cpu") for path in copies]
    members = [Member(path.stem, one, path) for path, one in zip(copies, asked, strict=True)]
    return ModelGroup(members, most=1)


@pytest.fixture
def running(home: Path, copies: tuple[Path, Path]) -> Iterator[Service]:
    with Service(grouped(copies), ServiceOptions(ServerOptions(threads=1, key=KEY))) as service:
        yield service


def asked(url: str, path: str, key: str | None = None, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    host = url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=60)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        text = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, text, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def completed(service: Service, model: str) -> int:
    return asked(service.url, "/v1/completions", KEY, {"model": model, "prompt": "1", "max_tokens": 1})[0]


def statuses(service: Service) -> dict[str, str]:
    status, text = asked(service.url, "/v1/models", KEY)
    assert status == 200
    return {m["id"]: m["status"]["value"] for m in json.loads(text)["data"]}


def family(pid: int) -> set[int]:
    """Every process that descends from one, itself included."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found = {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def gone(pids: set[int], seconds: float = 20.0) -> bool:
    """True once none of them runs; one that nobody has waited for yet does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_second_model_takes_the_place_of_the_first(running: Service, copies: tuple[Path, Path]) -> None:
    assert statuses(running) == {"alpha": "loaded", "beta": "unloaded"}
    rows = {(r.model, r.kind): r for r in running.buffers}
    assert {model for model, _ in rows} == {"alpha"}
    assert all(rows["alpha", kind].exact for kind in ("weights", "kv_cache", "output")), rows
    assert completed(running, "beta") == 200
    assert statuses(running) == {"alpha": "unloaded", "beta": "loaded"}
    assert {r.model for r in running.buffers} == {"alpha", "beta"}
    assert completed(running, "gamma") == 404
    assert asked(running.url, "/v1/completions", KEY, {"prompt": "1"})[0] == 400


def test_nobody_gets_past_the_key_and_nobody_sees_a_path(running: Service, copies: tuple[Path, Path]) -> None:
    for path in ("/v1/models", "/models", "/props"):
        assert asked(running.url, path)[0] == 401
        status, text = asked(running.url, path, KEY)
        assert status == 200
        assert not [word for word in (str(copies[0].parent), ".gguf", "--model", "api-key") if word in text.decode()]
    body = {"model": "alpha", "prompt": "1", "max_tokens": 1}
    with pytest.raises(ServerError, match="API key"):
        chat(running.url, "Hi", 1)
    module = running.server.module
    router = running.server.url
    ports = module.inner_ports(running.server.log)  # type: ignore[attr-defined]
    assert len(ports) == 1
    for url in (router, f"http://127.0.0.1:{ports[0]}/v1"):
        for key in (None, KEY):
            assert asked(url, "/v1/completions", key, body)[0] == 401
        assert asked(url, "/v1/completions", running.server.key, body)[0] == 200
    secret = running.server.key
    assert secret is not None
    words = [Path(f"/proc/{pid}/cmdline").read_text() for pid in family(running.server.pid or 0)]
    assert len(words) == 2
    assert not [line for line in (*words, *running.server.log) if secret in line or KEY in line]


def test_a_build_whose_processes_answer_anybody_is_refused(home: Path, copies: tuple[Path, Path]) -> None:
    """The key as an option of the router does not reach its processes: what the check is for."""
    group = grouped(copies)
    preset = home / "models.ini"
    preset.write_text(group.text())
    (home / "key").write_text(KEY + "\n")
    port = access.free_port("127.0.0.1")
    command = group.module.command(preset, group.routed, "127.0.0.1", port)
    argv = [str(home / "llama-server"), *command.argv[1:], "--api-key-file", str(home / "key"), "--threads", "1"]
    log = home / "log"
    environment = {**os.environ, **command.environment}
    with log.open("wb") as out, bounded(argv, 120, env=environment, cwd=home, stdout=out, stderr=out) as router:
        try:
            end = time.monotonic() + 60
            url, body = f"http://127.0.0.1:{port}/v1", {"model": "alpha", "prompt": "1", "max_tokens": 1}
            while True:
                try:
                    assert asked(url, "/v1/completions", KEY, body)[0] == 200
                    break
                except OSError:
                    assert time.monotonic() < end, log.read_text()
                    time.sleep(0.2)
            lines = log.read_text().splitlines()
            child = f"http://127.0.0.1:{group.module.inner_ports(lines)[0]}/v1"
            if asked(child, "/v1/completions", None, body)[0] == 401:
                pytest.skip("this build hands the file of keys on")
            with pytest.raises(ServerError, match="without a key"):
                check_keyed(group.module, lines)
        finally:
            router.terminate()
            router.wait(20)


def test_a_killed_router_leaves_nothing_and_starts_again(running: Service) -> None:
    before = running.server.pid
    assert before is not None
    old = family(before)
    assert len(old) == 2, "the router and its model"
    os.kill(before, signal.SIGKILL)
    assert tended(running, lambda: running.server.pid not in (None, before))
    assert gone(old)
    assert completed(running, "beta") == 200


def test_a_killed_supervisor_leaves_nothing(home: Path, copies: tuple[Path, Path]) -> None:
    own = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    environment = {**own, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    words = ["serve", *map(str, copies), "--cpu", "--context", "512", "--models-max", "1", "--port", "0", "--json"]
    command = [sys.executable, "-m", "gyakusan", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with bounded(command, 120, env=environment, **pipes) as supervisor:
        try:
            told = json.loads(supervisor.stdout.readline())
            assert [m["name"] for m in told["models"]] == ["alpha", "beta"]
            assert told["models_max"] == 1
            assert asked(told["url"], "/v1/models")[0] == 200
            started = family(supervisor.pid) - {supervisor.pid}
            assert len(started) >= 3, "guards, router and model"
            presets = list((home / "state" / "gyakusan" / "presets").glob("*"))
            assert len(presets) == 1
        finally:
            supervisor.send_signal(signal.SIGKILL)
            supervisor.wait(20)
    assert gone(started)
    assert not presets[0].exists()


def test_a_model_that_stalls_is_noticed_though_its_router_answers(home: Path, copies: tuple[Path, Path]) -> None:
    patience = Patience(quiet=1.0, asleep=1.5, busy=60.0)
    with Service(grouped(copies), ServiceOptions(ServerOptions(threads=1, key=KEY), patience=patience)) as service:
        assert completed(service, "beta") == 200
        before = service.server.pid
        assert before is not None
        old = family(before)
        (model,) = old - {before}
        os.kill(model, signal.SIGSTOP)
        assert tended(service, lambda: service.server.pid not in (None, before))
        assert gone(old)
        assert completed(service, "alpha") == 200


def test_a_model_that_is_killed_in_the_middle_of_an_answer(running: Service) -> None:
    body = {"model": "alpha", "prompt": "Once upon a time", "max_tokens": 400, "stream": True, "ignore_eos": True}
    before = running.server.pid
    (model,) = family(before or 0) - {before}
    connection = http.client.HTTPConnection(running.url.split("/")[2], timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    connection.request("POST", "/v1/completions", json.dumps(body), headers)
    response = connection.getresponse()
    assert response.readline().startswith(b"data:")
    os.kill(model, signal.SIGKILL)
    with contextlib.suppress(http.client.HTTPException, OSError):
        assert b"[DONE]" not in response.read()
    connection.close()
    assert tended(running, lambda: running.front is not None and running.front.busy == 0)
    assert tended(running, lambda: completed(running, "alpha") == 200), "the router, once it noticed, starts it again"
    assert running.server.pid == before


def tended(service: Service, until: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        service.tend()
        if until():
            return True
        time.sleep(0.05)
    return False
