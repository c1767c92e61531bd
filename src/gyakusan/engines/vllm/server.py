"""vLLM's server on this computer: of the Python that runs if that has vLLM, else `vllm` on PATH.

Source: vLLM 0.32.0, entrypoints/launchers/api_server/entry.py, envs.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.doors import files
from gyakusan.doors.shell import shell_word, shell_words
from gyakusan.engines.server import Endpoint, Given, Launch, PredictedBuffer
from gyakusan.engines.server_defaults import checkpoint_error, no_dry_run, no_packaged, no_workers, same_device
from gyakusan.engines.vllm import launch as launching
from gyakusan.engines.vllm.log import read
from gyakusan.engines.vllm.log_errors import start_failure
from gyakusan.engines.vllm.settings import Settings, check
from gyakusan.engines.vllm.weights import weights
from gyakusan.errors import BadSetting, GyakusanError, ServerError
from gyakusan.message import Message, say

__all__ = ["read", "start_failure"]

HEALTH = "/health"
GIVEN: Given = "folder"
PROVED = True
"""It listens only once the model is loaded and the largest batch was tried."""
CACHE_METRICS: tuple[str, ...] = ("vllm:kv_cache_usage_perc",)
"""Source: vLLM 0.32.0, v1/metrics/loggers.py."""
PROGRAMS: tuple[str, ...] = ("vllm",)
model_error, dry_run, device_family, workers = checkpoint_error, no_dry_run, same_device, no_workers

_HERE = "vllm.entrypoints.cli.main"
_LISTENS = re.compile(
    r"(?:Starting vLLM (?:API )?server[^\n]{0,40} on http|Uvicorn running on http)s?://\S{1,100}:(\d{1,5})\b"
)
_THROUGHPUT = re.compile(r"(?:prompt|generation) throughput: (\d{1,9}\.\d) tokens/s")
_KEPT = ("VLLM_CPU_", "VLLM_TARGET_DEVICE", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT")
"""Variables of vLLM that a person sets for a computer; the others would change what was planned."""
_UNNEEDED = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TRANSFORMERS_OFFLINE")
_STAGES = (
    ("Starting to load model", say("Loading the weights.")),
    ("Loading safetensors checkpoint shards", say("Loading the weights.")),
    ("Model loading took", say("Measuring what the largest batch takes.")),
    ("KV cache size:", say("Warming up.")),
    ("Graph capturing", say("Warming up.")),
)
AMD_WHEELS = ("--extra-index-url", "https://wheels.vllm.ai/rocm/")
"""Where vLLM's wheels for AMD's GPUs are; PyPI has those for NVIDIA's only."""
_WHEELS: Mapping[str, tuple[str, ...]] = {"cuda": ("--torch-backend=auto",), "rocm": AMD_WHEELS}
INSTALL_PAGE = "docs.vllm.ai, getting_started/installation"
LISTS_DEVICES = ""
packaged = no_packaged
LONGEST_CONFIG = 2**20
"""Of a checkpoint's config.json [B]."""


def find_program(choice: str) -> str:
    """Return "vllm" where the Python that runs has it, else the path of the program. Raises ServerError if it is not here."""
    if choice in ("auto", "vllm"):
        if _is_here():
            return "vllm"
        if program := shutil.which("vllm"):
            return program
    raise ServerError(
        "This computer has no vLLM.", amd=shell_words(("uv", "pip", "install", "vllm", *AMD_WHEELS)),
        mend="Run: pip install vllm (Linux, NVIDIA). For AMD, with Python 3.12: {amd}. Or put vllm on PATH.",
    )  # fmt: skip


def installing(machine: Machine, folder: str) -> tuple[str, ...]:
    """Return the commands that put vLLM into an environment of its own, () for a machine without NVIDIA's or AMD's GPU.

    Source: vLLM, docs/getting_started/installation/gpu.cuda.inc.md and gpu.rocm.inc.md, "Pre-built wheels": with another
    Python than 3.12 the wheels of AMD's GPUs are passed over for those of NVIDIA's, and pip mixes both indices. uv, which
    chooses the wheels and brings that Python, comes from PyPI into an environment beside it: no system has it of its own.
    """
    wheels = _WHEELS.get(machine.gpus[0].backend if machine.gpus else "")
    if wheels is None:
        return ()
    place = str(PurePosixPath(folder).with_name("uv"))
    uv = f"{place}/bin/uv"
    lines = (
        ("python3", "-m", "venv", place),
        (f"{place}/bin/pip", "install", "uv"),
        (uv, "venv", "--python", "3.12", "--managed-python", folder),
        (uv, "pip", "install", "--python", folder, "vllm", *wheels),
    )
    return tuple(shell_words(line) for line in lines)


def _is_here() -> bool:
    try:
        return find_spec("vllm") is not None
    except (ImportError, ValueError):
        return False


def launch(program: str, path: Path, settings: Settings, endpoint: Endpoint) -> Launch:
    """Return how `program` is started with a folder. Raises BadSetting for settings that vLLM refuses."""
    if endpoint.threads is not None:
        raise BadSetting(
            "vLLM has no option for CPU threads.",
            mend="Leave out --threads; for the CPU set VLLM_CPU_OMP_THREADS_BIND.",
        )
    words, variables = _words(path, settings, endpoint)
    start = [sys.executable, "-P", "-m", _HERE] if program == "vllm" else [program]
    return Launch([*start, *words], _environment(os.environ, variables, endpoint.key))


def _words(path: Path, settings: Settings, endpoint: Endpoint) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the words after the program, and variables that are set in addition."""
    config = _config(path)
    plain = "quantization_config" not in config
    online = settings.quantization if settings.quantization in launching.ONLINE and plain else ""
    made = launching.words(os.path.abspath(path), check(settings), endpoint.host, endpoint.port, online)
    name = ("--served-model-name", endpoint.alias or path.name)
    text_only = launching.TEXT_ONLY if "vision_config" in config and not settings.vision_bytes else ()
    trained = config.get("max_position_embeddings")
    variables = launching.variables(trained if isinstance(trained, int) else 0, settings)
    return ("serve", *made, *name, *text_only, *endpoint.words), variables


def _config(path: Path) -> Mapping[str, object]:
    """Return a checkpoint's config.json, {} if it cannot be read: the server says why."""
    try:
        found = json.loads(files.whole(path / "config.json", LONGEST_CONFIG))
    except (GyakusanError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _environment(base: Mapping[str, str], more: Mapping[str, str], key: str | None) -> dict[str, str]:
    """Return the server's environment: nothing that would change the plan, nobody's tokens, and the key."""
    clean = {
        k: v
        for k, v in base.items()
        if (not k.startswith("VLLM_") or k.startswith(_KEPT)) and k not in _UNNEEDED and not k.endswith("_API_KEY")
    }
    return {**clean, "HF_HUB_OFFLINE": "1", **more, **({"VLLM_API_KEY": key} if key else {})}


def shell_line(path: Path, settings: Settings, endpoint: Endpoint) -> str:
    """Return the line that a person would type; the key is a variable."""
    words, variables = _words(path, settings, endpoint)
    set_before = [f"{k}={shell_word(v)}" for k, v in variables.items()]
    key = ['VLLM_API_KEY="$GYAKUSAN_API_KEY"'] if endpoint.key else []
    return " ".join((*key, *set_before, shell_words(("vllm", *words))))


def title(program: str) -> str:
    """Return the name of `program` for people."""
    return "vLLM"


def stage(line: str) -> Message | None:
    """Return what the server begins with this line, None if nothing."""
    return next((message for text, message in _STAGES if text in line[:2000]), None)


def listens(line: str, port: int) -> bool:
    """Return True if this line says that the server listens on `port`."""
    match = _LISTENS.search(line[:2000])
    return match is not None and int(match[1]) == port


def works(line: str) -> bool:
    """Return True if this line says that tokens are computed: a server that hangs goes on to log 0.0."""
    return any(float(speed) > 0 for speed in _THROUGHPUT.findall(line[:2000]))


def gave_up(line: str) -> bool:
    """Return False: a vLLM that cannot go on ends."""
    return False


def predicted_buffers(model: Model, settings: Settings) -> tuple[PredictedBuffer, ...]:
    """Return the weights of the first rank: of its pool the log tells tokens, which the ledger has."""
    return (PredictedBuffer("weights", "gpu0", float(weights(model, settings).best)),)
