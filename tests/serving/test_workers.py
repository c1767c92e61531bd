"""The workers of a server: asked, started, looked after and ended with it. Fakes in the place of ssh and of the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.fakes import fake_workers

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.core.machine import Device
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.llamacpp import server
from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving import access
from gyakusan.serving.server import ServerOptions
from gyakusan.serving.service import Service, ServiceOptions
from gyakusan.serving.workers import Workers, check_workers, lent
from gyakusan.units import GIB

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return fake_workers.installed(tmp_path / "bin", monkeypatch)


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of a worker that listens already."""
    port = access.free_port("127.0.0.1")
    command = [
        sys.executable,
        str(fake_workers.HERE / "fake_rpc_worker.py"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command) as started:
        end = time.monotonic() + 20
        while time.monotonic() < end and not _answers(port):
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
        started.kill()


def _answers(port: int) -> bool:
    try:
        return bool(server.workers().devices("127.0.0.1", port, 5.0))
    except ServerError:
        return False


def workers(text: str) -> Workers:
    return Workers.of(text, server.workers(), "llama.cpp")


def asked(device: str = "RTX 4090") -> Deployment:
    return api.deployment("qwen3-8b", load=Load(1, 4096), device=device)


def test_both_kinds_lend_their_devices(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RPC_DEVICES", f"{GIB}:{GIB}:128,{GIB}:{2 * GIB}:128")
    with workers(f"{listening},ssh:me@box") as made:
        devices = made.start()
        assert [d.name for d in devices] == [listening, "ssh:me@box #0", "ssh:me@box #1"]
        assert made.addresses[0] == listening
        assert made.names == (listening, "ssh:me@box")
        made.check()
        made.make_ready()
    with pytest.raises(ServerError, match="has ended"):
        made.check()


def test_a_look_starts_nothing(listening: str, folder: Path) -> None:
    made = workers(f"{listening},ssh:me@box")
    assert [(d.name, d.usable) for d in made.look()] == [(listening, 6 * GIB), ("ssh:me@box", None)]
    (command,) = made.commands
    assert command[0] == "ssh"
    assert not fake_workers.processes(folder / "fake_ssh.py")


def test_of_a_start_that_fails_nothing_is_left(folder: Path) -> None:
    with pytest.raises(ServerError, match="No RPC worker can be reached"):
        workers(f"ssh:me@box,127.0.0.1:{access.free_port('127.0.0.1')}").start()
    end = time.monotonic() + 15
    while fake_workers.processes(folder / "fake_rpc_worker.py") and time.monotonic() < end:
        time.sleep(0.05)
    assert not fake_workers.processes(folder / "fake_rpc_worker.py")


def test_the_machine_has_the_devices_before_its_own() -> None:
    worker = Device("box", "gpu", 24 * GIB, "cuda")
    made = lent(asked(), workers("127.0.0.1"), (worker,))
    names = [account.device.name for account in made.ledger.accounts]
    assert names[:2] == ["box", "NVIDIA GeForce RTX 4090"]
    assert made.command.argv[made.command.argv.index("--rpc") + 1] == "127.0.0.1:50052"
    whole = asked("RTX 4090").ledger.accounts[0]
    assert 0 < made.ledger.accounts[0].of("weights") < whole.of("weights")
    parts = sum(a.of("weights") for a in made.ledger.accounts[:2])
    assert parts == pytest.approx(whole.of("weights"), rel=0.01)


def test_named_machines_stay_as_they_are() -> None:
    made = lent(asked("2x RTX 4090"), workers("127.0.0.1"), ())
    assert len(made.machine.gpus) == 2
    with pytest.raises(BadSetting, match="2 RPC workers"):
        _ = lent(asked(), workers("127.0.0.1,127.0.0.1:2"), ()).ledger
    with pytest.raises(BadSetting, match="Leave out --cpu"):
        lent(structs.replace(asked(), changes={"backend": "cpu"}), workers("127.0.0.1"), ())


def test_only_llama_cpp_has_them() -> None:
    with pytest.raises(BadSetting, match="vLLM has no RPC workers"):
        Workers.of("127.0.0.1", None, "vLLM")


def test_settings_that_name_a_worker_elsewhere() -> None:
    made = lent(asked("2x RTX 4090"), workers("192.0.2.1"), ())
    with pytest.raises(BadSetting, match="no password and no encryption"):
        check_workers(made, unprotected=False)
    check_workers(made, unprotected=True)
    check_workers(asked(), unprotected=False)


def test_a_service_looks_after_its_workers(smollm2: Path, folder: Path) -> None:
    """A worker that dies: the server is started again behind a new one, and both end with the service."""
    told: list[str] = []
    made = workers("ssh:me@box")
    made.start()
    deployment = api.deployment("smollm2", load=Load(1, 512), device="cpu")
    inner = ServerOptions(program="embedded", threads=1)
    options = ServiceOptions(inner, on_event=lambda m: told.append(str(m)), workers=made)
    with Service(deployment, options, smollm2) as service:
        (pid,) = fake_workers.processes(folder / "fake_rpc_worker.py")
        before = service.server.pid
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 60
        while "The server is ready." not in told and time.monotonic() < end:
            service.tend()
            time.sleep(0.05)
        assert told[0].startswith("The worker on me@box has ended.")
        assert told[-1] == "The server is ready."
        assert service.server.pid != before
        made.check()
    end = time.monotonic() + 15
    while fake_workers.processes(folder / "fake_rpc_worker.py") and time.monotonic() < end:
        time.sleep(0.05)
    assert not fake_workers.processes(folder / "fake_rpc_worker.py")
