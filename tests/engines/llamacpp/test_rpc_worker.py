"""What a worker is asked and tells, by the protocol; its answers are not trusted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from tests.fakes.fake_workers import HERE

from gyakusan.engines.llamacpp import rpc_worker
from gyakusan.errors import ServerError
from gyakusan.units import GIB


@contextmanager
def worker(**environment: str) -> Iterator[int]:
    """A fake worker on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, str(HERE / "fake_rpc_worker.py"), "--host", "127.0.0.1", "--port", str(port)]
    started = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield port
    finally:
        started.kill()
        started.wait(20)


def test_devices_are_what_the_worker_tells() -> None:
    told = f"{20 * GIB}:{24 * GIB}:128,{8 * GIB}:{8 * GIB}:16"
    with worker(FAKE_RPC_DEVICES=told) as port:
        card, other = rpc_worker.devices("127.0.0.1", port, 5.0)
    assert (card.memory, card.reserved, card.usable, card.backend) == (24 * GIB, 4 * GIB, 20 * GIB, "cuda")
    assert (other.usable, other.backend, other.kind, other.memory_basis) == (8 * GIB, "vulkan", "gpu", "read")
    assert card.name != other.name


def test_another_protocol_is_refused() -> None:
    with worker(FAKE_RPC_MAJOR="3") as port, pytest.raises(ServerError, match=r"protocol 3\.0\.0, and not 7"):
        rpc_worker.devices("127.0.0.1", port, 5.0)


@pytest.mark.parametrize("count", ["", ",".join(["1:1:1"] * 17)])
def test_a_senseless_number_of_devices_is_refused(count: str) -> None:
    with worker(FAKE_RPC_DEVICES=count) as port, pytest.raises(ServerError, match="RPC worker"):
        rpc_worker.devices("127.0.0.1", port, 5.0)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ServerError, match=f"ggml-rpc-server --host 127.0.0.1 --port {port}"):
        rpc_worker.devices("127.0.0.1", port, 5.0)


def test_a_busy_worker_does_not_answer() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ServerError, match="one llama-server at a time"),
    ):
        rpc_worker.devices("127.0.0.1", silent.getsockname()[1], 0.2)


def test_a_worker_that_drips_is_left_in_time() -> None:
    """A byte now and then kept each wait short, and the whole answer never came."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line, suppress(OSError):
                line.sendall(b"\x1c" + bytes(7))
                while not done.wait(0.05):
                    line.sendall(b"\x07")

        threading.Thread(target=serve, daemon=True).start()
        try:
            with pytest.raises(ServerError, match="one llama-server at a time"):
                rpc_worker.devices("127.0.0.1", listener.getsockname()[1], 0.5)
        finally:
            done.set()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 8, b"\x1c" + bytes(7)])
def test_whatever_else_listens_there_is_no_worker(answer: bytes) -> None:
    """A web server, a length beyond all memory, an end in the middle."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line, suppress(OSError):
                line.sendall(answer)
                line.shutdown(socket.SHUT_WR)
                while line.recv(4096):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(ServerError, match="no RPC worker of this"):
            rpc_worker.devices("127.0.0.1", listener.getsockname()[1], 5.0)


def test_the_script_is_one_line_of_any_shell() -> None:
    script = rpc_worker.script(50052)
    assert script.startswith("exec sh -c '")
    assert script.endswith("'")
    assert script.count("'") == 2
    assert "\n" not in script
    assert subprocess.run(["sh", "-nc", script], check=False).returncode == 0


def test_the_script_tells_where_no_worker_is_installed() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", rpc_worker.script(50052)], env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}, capture_output=True,
        text=True, check=False, timeout=20,
    )  # fmt: skip
    said = [rpc_worker.failure(line, 50052, "box") for line in done.stderr.splitlines()]
    assert done.returncode == 127
    assert any(error is not None and "box has no ggml-rpc-server" in str(error) for error in said)
