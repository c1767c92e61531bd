"""MLX-LM's server on this computer: of the Python that runs if that has MLX-LM, else mlx_lm.server on PATH.

It is started by keyed_server.py: mlx_lm.server itself asks for no key, and loads whatever a request names.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from gyakusan.core.machine import Machine
from gyakusan.doors.shell import shell_words
from gyakusan.engines.mlx import launch as launching
from gyakusan.engines.mlx.log import gave_up, listens, read, stage, works
from gyakusan.engines.mlx.log_errors import start_failure
from gyakusan.engines.mlx.settings import Settings, check
from gyakusan.engines.server import Endpoint, Given, Launch
from gyakusan.engines.server_defaults import (
    checkpoint_error,
    no_buffers,
    no_dry_run,
    no_packaged,
    no_workers,
    same_device,
)
from gyakusan.errors import BadSetting, ServerError

__all__ = ["gave_up", "listens", "read", "stage", "start_failure", "works"]

HEALTH = "/health"
GIVEN: Given = "folder"
PROVED = False
"""/health answers 200 while the model is still being loaded. Source: mlx-lm 0.32.2, server.py, is_healthy."""
CACHE_METRICS: tuple[str, ...] = ()
PROGRAMS: tuple[str, ...] = (launching.PACKAGE, launching.PROGRAM)

model_error, dry_run, predicted_buffers, device_family = checkpoint_error, no_dry_run, no_buffers, same_device
workers, packaged = no_workers, no_packaged
INSTALL_PAGE = "github.com/ml-explore/mlx-lm"
LISTS_DEVICES = ""

_SCRIPT = Path(__file__).with_name("keyed_server.py")


def find_program(choice: str) -> str:
    """Return "mlx_lm" where the Python that runs has it, else the path of mlx_lm.server. Raises ServerError."""
    if choice in ("auto", launching.PACKAGE) and launching.is_installed_here():
        return launching.PACKAGE
    program = shutil.which(launching.PROGRAM) if choice in ("auto", launching.PROGRAM) else None
    if program:
        return program
    raise ServerError(
        "This computer has no MLX-LM server.", mend="Run: pip install 'gyakusan[mlx]', or put mlx_lm.server on PATH."
    )


def installing(machine: Machine, folder: str) -> tuple[str, ...]:
    """Return the commands that put MLX-LM into an environment of its own. Source: mlx-lm, README.md, "pip install mlx-lm"."""
    return shell_words(("python3", "-m", "venv", folder)), shell_words((f"{folder}/bin/pip", "install", "mlx-lm"))


def launch(program: str, path: Path, settings: Settings, endpoint: Endpoint) -> Launch:
    """Return how `program` is started with a folder. Raises BadSetting for settings that MLX-LM refuses."""
    if endpoint.threads is not None:
        raise BadSetting("MLX-LM has no option for CPU threads.", mend="Leave out --threads.")
    argv = [launching.interpreter(program), "-u", str(_SCRIPT), *_words(path, settings, endpoint)]
    order = json.dumps({"key": endpoint.key, "alias": endpoint.alias or path.name})
    return Launch(argv, launching.environment(os.environ), order)


def _words(path: Path, settings: Settings, endpoint: Endpoint) -> Sequence[str]:
    own = ("--model", os.path.abspath(path), "--host", endpoint.host, "--port", str(endpoint.port))
    return (*own, *launching.arguments(check(settings)), *endpoint.words)


def shell_line(path: Path, settings: Settings, endpoint: Endpoint) -> str:
    """Return the mlx_lm.server line that a person would type; typed so, it asks for no key."""
    return shell_words((launching.PROGRAM, *_words(path, settings, endpoint)))


def title(program: str) -> str:
    """Return the name of `program` for people."""
    return "MLX-LM"
