"""A real llama-server that works on this computer, for tests: `make servers` brings one, tools/build_servers.py.

$GYAKUSAN_LLAMA_SERVER alone if it is set; else PATH, what is beside the Python that runs, and what was built for this CPU.
A build for another CPU ends with SIGILL, some at once, some with the first token: such a program is as good as absent.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

NAMES = ("llama-server", "llama-server-vulkan")
WORKERS = ("ggml-rpc-server", "ggml-rpc-server-vulkan", "rpc-server")
VARIABLE = "GYAKUSAN_LLAMA_SERVER"
BUILD, COMMIT = 11312, "0c1e57098"
"""llama.cpp's number and commit of what is built: the submodule of llama-cpp-python 0.3.36, of 2026-10-01."""
_START = 120.0


def _cpu() -> str:
    """What programs built for this CPU alone depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return " ".join([platform.system(), platform.machine(), *sorted(set(told.split()))])


def place(cache_folder: Path, cpu: str) -> Path:
    """Where programs that were built for a CPU are kept."""
    return cache_folder / "gyakusan" / "servers" / f"b{BUILD}-{hashlib.sha256(cpu.encode()).hexdigest()[:8]}"


BUILT = place(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), _cpu())
"""Of this computer; read before any test changes the environment."""


def installed(*names: str) -> str | None:
    """The first program of these that is on PATH or beside the Python that runs."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return next((found for name in names if (found := shutil.which(name, path=places))), None)


def candidates() -> Iterator[str]:
    """Every llama-server that may work here."""
    if named := os.environ.get(VARIABLE):
        yield named
        return
    found = (installed(*NAMES), shutil.which(NAMES[0], path=str(BUILT / "bin")))
    yield from (program for program in found if program)


def find_llama_server(model: Path) -> tuple[str | None, str]:
    """The program, and why there is none. model: a small one that it must answer with."""
    faults = []
    for program in candidates():
        if not (why := fault(program, model)):
            return program, ""
        faults.append(f"{program} does not work here: {why}")
    return None, "; ".join(faults) or f"no llama-server on PATH or in ${VARIABLE}: make servers"


def find_worker(program: str) -> str | None:
    """The RPC worker beside a llama-server: another build may speak another version of the protocol."""
    beside = (shutil.which(name, path=str(Path(program).parent)) for name in WORKERS)
    return next((found for found in beside if found), None)


@cache
def version(program: str) -> str:
    """What a program tells of its build."""
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    found = re.search(r"version: (.+)", told.stdout + told.stderr)
    return found[1] if found else "unknown version"


@cache
def fault(program: str, model: Path) -> str:
    """What is wrong with a program, "" for nothing: it warms up with a token before it says that it is ready."""
    try:
        told = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if told.returncode:
        return f"--version ends with {told.returncode}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", str(model), "--host", "127.0.0.1", "--port", str(port)]
    words += ["-c", "64", "--device", "none", "--fit", "off"]
    words += ["--threads", "1"]  # two wait for each other on a busy computer, for minutes
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program, *words], **pipes) as server:  # type: ignore[call-overload]
        try:
            return _waited(server, port)
        finally:
            server.kill()


def _waited(server: subprocess.Popen[bytes], port: int) -> str:
    end = time.monotonic() + _START
    while time.monotonic() < end:
        if (code := server.poll()) is not None:
            return f"it ends with {code} before its first token"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return ""
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    return f"it is not ready after {_START:g} s"
