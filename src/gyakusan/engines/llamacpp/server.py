"""llama.cpp's server on this computer: `llama-server` on PATH if there is one, else the server in the xllamacpp wheel."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.doors.shell import shell_word
from gyakusan.engines.base import System
from gyakusan.engines.llamacpp import launch as launching
from gyakusan.engines.llamacpp.launch import HEALTH
from gyakusan.engines.llamacpp.log import listens, read, stage, works
from gyakusan.engines.llamacpp.log_errors import start_failure
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.engines.server import Endpoint, Given, Launch, PredictedBuffer, WorkerModule
from gyakusan.engines.server_defaults import no_installing
from gyakusan.errors import GyakusanError, ServerError

if TYPE_CHECKING:
    from gyakusan.engines.llamacpp.dry_run import run

__all__ = ["HEALTH", "PROGRAMS", "listens", "read", "stage", "start_failure", "works"]

GIVEN: Given = "file"
PROVED = True
"""It warms up with a token before /health answers 200. Source: llama.cpp b11434, common/common.cpp, common_init_from_params."""
CACHE_METRICS: tuple[str, ...] = ()
INSTALL_PAGE = "github.com/ggml-org/llama.cpp, docs/install.md"
LISTS_DEVICES = "llama-server --list-devices"
installing = no_installing
PROGRAMS: tuple[str, ...] = (launching.PROGRAM, "embedded")

_EMBEDDED = Path(__file__).with_name("embedded_server.py")
_GPU = re.compile(
    r"(?:cuda|rocm|hip|musa|vulkan|mtl|metal|sycl|opencl|gpu|rpc)[ _]?(\d{0,3})(?:_(?:mapped|split|private))?"
)


class _Options(TypedDict):
    host: str
    port: int
    alias: str | None
    threads: int | None


def find_program(choice: str) -> str:
    """Return the path of llama-server, or "embedded". Raises ServerError if neither is here."""
    program = shutil.which(launching.PROGRAM) if choice in ("auto", launching.PROGRAM) else None
    if program:
        return program
    if choice in ("auto", "embedded") and importlib.util.find_spec("xllamacpp") is not None:
        return "embedded"
    raise ServerError(
        "This computer has no llama.cpp server.",
        mend="Run: pip install 'gyakusan[serve]', or put llama-server on PATH.",
    )


def packaged(machine: Machine, system: System) -> tuple[str, ...]:
    """Return the package of conda-forge, which has builds for CUDA and Vulkan; Homebrew's on a Mac, winget's on Windows.

    Source: llama.cpp, docs/install.md, "Install pre-built version of llama.cpp".
    """
    backends = {d.backend for d in machine.gpus}
    if "metal" in backends:
        return ("brew install llama.cpp",)
    if system == "windows" and "cuda" not in backends:
        return ("winget install llama.cpp",)
    return ("conda install -c conda-forge llama-cpp",)


def launch(program: str, path: Path, settings: Settings, endpoint: Endpoint) -> Launch:
    """Return how `program` is started with a model file. Raises BadSetting for settings that llama.cpp refuses."""
    options, cors = _options(endpoint), None if endpoint.public else "localhost"
    gpu = settings.backend != "cpu"
    if program != "embedded":
        argv = [program, *launching.arguments(path, settings, **options, cors=cors), *endpoint.words]
        return Launch(argv, launching.environment(endpoint.key, os.environ, gpu=gpu))
    fields = launching.with_thinking_fields(launching.fields(path, settings, **options, cors=cors), endpoint.words)
    order = json.dumps({"fields": fields, "key": endpoint.key})
    return Launch([sys.executable, "-P", str(_EMBEDDED)], launching.environment(None, os.environ, gpu=gpu), order)


def dry_run(model: Model, settings: Settings) -> tuple[tuple[run.Compared, ...], run.Dry]:
    """Return our figures beside those of llama.cpp's own dry run on the CPU. Raises ServerError."""
    from gyakusan.engines.llamacpp.dry_run import run

    (dry,) = run.ask(model, [settings])
    return run.compare(model, settings, dry), dry


def shell_line(path: Path, settings: Settings, endpoint: Endpoint) -> str:
    """Return the llama-server line that a person would type to start the same."""
    line = launching.command(path, settings, **_options(endpoint), keyed=bool(endpoint.key))
    return " ".join((line, *map(shell_word, endpoint.words)))


def gave_up(line: str) -> bool:
    """Return False: a llama-server that cannot go on ends."""
    return False


def title(program: str) -> str:
    """Return the name of `program` for people."""
    return "llama.cpp" if program == "embedded" else program


def model_error(path: Path) -> GyakusanError | None:
    """Return what our own reader finds wrong with a GGUF file, None if it can be read."""
    from gyakusan.doors import files
    from gyakusan.models.formats import gguf

    try:
        gguf.read_parts(str(path), files.open)
    except GyakusanError as error:
        return error
    return None


def predicted_buffers(model: Model, settings: Settings) -> tuple[PredictedBuffer, ...]:
    """Return the buffers that the server should allocate."""
    from gyakusan.engines.llamacpp.expected_log import buffers

    return tuple(PredictedBuffer(*buffer) for buffer in buffers(model, settings))


def workers() -> WorkerModule:
    """The module for workers of RPC."""
    from gyakusan.engines.llamacpp import rpc_worker

    return cast("WorkerModule", rpc_worker)


def device_family(device: str) -> str:
    """Return "host" for CPU_Mapped, CPU_REPACK and CUDA_Host, "gpu0" for CUDA0, Vulkan0, RPC0 and gpu; others as they are."""
    name = device.casefold()
    if name.startswith(("cpu", "host")) or name.endswith("_host"):
        return "host"
    match = _GPU.fullmatch(name)
    return f"gpu{match[1] or 0}" if match else name


def _options(endpoint: Endpoint) -> _Options:
    return {"host": endpoint.host, "port": endpoint.port, "alias": endpoint.alias, "threads": endpoint.threads}
