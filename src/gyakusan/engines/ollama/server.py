"""A model of an Ollama server that runs on this computer: loaded through its API, and passed on by api_server.py."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gyakusan.core.machine import Machine
from gyakusan.engines.base import System
from gyakusan.engines.log_failures import Pattern, first_failure
from gyakusan.engines.ollama.settings import Settings, check
from gyakusan.engines.server import Endpoint, Given, Launch, ReportedBuffer, StartFailure
from gyakusan.engines.server_defaults import no_buffers, no_dry_run, no_installing, no_workers, same_device
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say

HEALTH = "/health"
GIVEN: Given = "name"
PROVED = True
"""It listens only once Ollama has said that the model is loaded."""
CACHE_METRICS: tuple[str, ...] = ()
PROGRAMS: tuple[str, ...] = ("ollama",)
USUAL_PORT = 11434
dry_run, predicted_buffers, device_family, workers = no_dry_run, no_buffers, same_device, no_workers
INSTALL_PAGE = "ollama.com/download"
LISTS_DEVICES = ""
installing = no_installing

_SCRIPT = Path(__file__).with_name("api_server.py")
_VERSION = re.compile(r"^gyakusan: Ollama (\d[\w.+-]{0,40})$")
_LOADED = re.compile(r"^gyakusan: loaded size=(\d{1,15}) vram=(\d{1,15}) context=(\d{1,12})$")
_PARALLEL = re.compile(r"^gyakusan: parallel (\d{1,6})$")
_LISTENS = re.compile(r"^gyakusan: listening on port (\d{1,5})$")
_PULL = say("Fetch it: ollama pull {tag}")
_TABLE = (
    Pattern(
        "absent",
        re.compile(r"^gyakusan: no Ollama at (?P<base>\S{1,120}): (?P<why>.{0,160})"),
        say("No Ollama answers at {base}: {why}."),
        say("Start it: ollama serve. Another address is taken from OLLAMA_HOST."),
    ),
    Pattern(
        "missing",
        re.compile(
            r"^gyakusan: cannot \w{1,10} (?P<tag>\S{1,160}): .{0,160}(?:not found|does not exist|pull model manifest)"
        ),
        say("Ollama does not have {tag}."),
        _PULL,
    ),
    Pattern(
        "memory",
        re.compile(r"^gyakusan: cannot \w{1,10} \S{1,160}: (?P<why>.{0,160}(?:memory|allocate).{0,120})"),
        say("Ollama cannot load the model: {why}."),
        say("Unload what it holds (ollama ps, ollama stop), or add a shorter --context."),
    ),
    Pattern(
        "model",
        re.compile(r"^gyakusan: cannot \w{1,10} (?P<tag>\S{1,160}): (?P<why>.{1,200})"),
        say("Ollama cannot load {tag}: {why}."),
        say("See the log of Ollama's own server."),
    ),
    Pattern(
        "port",
        re.compile(r"^gyakusan: cannot listen: .{0,160}in use"),
        say("The port is in use."),
        say("Choose another port with --port; without it a free one is used."),
    ),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What Ollama says of the loaded model, None for what it does not say.

    version: of Ollama
    size: memory that it counts for the model [B]
    on_gpu: of this on GPUs [B]
    context: of each request [tokens]
    """

    version: str | None = None
    size: int | None = None
    on_gpu: int | None = None
    context: int | None = None

    @property
    def build(self) -> None:
        """None: Ollama has versions, and no build numbers."""
        return

    @property
    def buffers(self) -> tuple[ReportedBuffer, ...]:
        """What it counts on GPUs and in RAM, all kinds together."""
        if not self.size or self.on_gpu is None:
            return ()
        parts = (("gpu", self.on_gpu), ("host", self.size - self.on_gpu))
        return tuple(ReportedBuffer(device, "total", float(size), "api/ps") for device, size in parts if size > 0)


def packaged(machine: Machine, system: System) -> tuple[str, ...]:
    """Return the script of its makers, one for Linux and macOS and one for Windows. Source: ollama.com/download."""
    if system == "windows":
        return ("irm https://ollama.com/install.ps1 | iex",)
    return ("curl -fsSL https://ollama.com/install.sh | sh",)


def find_program(choice: str) -> str:
    """Return "ollama": the server runs already, or not; its API tells."""
    return "ollama"


def base(text: str) -> str:
    """Return the address of Ollama's API that OLLAMA_HOST means. Raises BadSetting for one of another computer.

    Source: Ollama, envconfig/config.go (Host): scheme and port may be left out; 0.0.0.0 is where it listens.
    """
    plain = text.strip().strip("\"'").rpartition("://")[2].split("/", 1)[0]
    host, _, port = plain.rpartition(":") if re.search(r":\d{1,5}$", plain) else (plain, "", str(USUAL_PORT))
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "127.0.0.1"}.get(host, host)
    if host not in ("127.0.0.1", "localhost", "[::1]"):
        raise BadSetting(
            "OLLAMA_HOST names another computer: {host}.", host=host[:80],
            mend="Serve there, or set OLLAMA_HOST=127.0.0.1:11434.",
        )  # fmt: skip
    return f"http://{host}:{port}"


def launch(program: str, path: Path, settings: Settings, endpoint: Endpoint) -> Launch:
    """Return how the model of a tag is loaded and passed on. Raises BadSetting for settings that Ollama refuses."""
    if endpoint.threads is not None:
        raise BadSetting("Ollama takes no CPU threads from gyakusan.", mend="Leave out --threads.")
    chosen, tag = check(settings), str(path)
    plain = re.sub(r"[^a-z0-9]+", "-", (endpoint.alias or tag).casefold()).strip("-")[:60] or "model"
    order = {
        "base": base(os.environ.get("OLLAMA_HOST", "")),
        "tag": tag,
        "made": f"gyakusan-{plain}-{os.getpid()}",
        "context": int(chosen.context_length),
        "users": int(chosen.num_parallel),
        "host": endpoint.host,
        "port": endpoint.port,
        "key": endpoint.key,
        "alias": endpoint.alias or tag,
    }
    clean = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_TOKEN"))}
    return Launch([sys.executable, "-I", str(_SCRIPT)], clean, json.dumps(order))


def shell_line(path: Path, settings: Settings, endpoint: Endpoint) -> str:
    """Return the line that a person would type to load the same tag."""
    return f"OLLAMA_CONTEXT_LENGTH={settings.context_length} OLLAMA_NUM_PARALLEL={settings.num_parallel} ollama serve"


def title(program: str) -> str:
    """Return the name of `program` for people."""
    return "Ollama"


def stage(line: str) -> Message | None:
    """Return what begins with this line, None if nothing."""
    if match := _PARALLEL.search(line[:200]):
        n = match[1]
        return say(
            "Ollama answers as many at once as OLLAMA_NUM_PARALLEL of its own server says; {n} are planned.", n=n
        )
    if line.startswith("gyakusan: create "):
        return say("Setting the context.")
    return say("Loading the weights.") if line.startswith("gyakusan: load ") else None


def listens(line: str, port: int) -> bool:
    """Return True if this line says that the model is loaded and passed on at `port`."""
    match = _LISTENS.search(line[:200])
    return match is not None and int(match[1]) == port


def gave_up(line: str) -> bool:
    """Return False: the program ends where it cannot go on."""
    return False


def works(line: str) -> bool:
    """Return True if this line says that somebody asks."""
    return line == "gyakusan: a request"


def read(lines: Iterable[str]) -> Loaded:
    """Return what Ollama said of the model. Never raises on any text."""
    version = size = on_gpu = context = None
    for line in lines:
        if match := _VERSION.search(line[:200]):
            version = match[1]
        elif match := _LOADED.search(line[:200]):
            size, on_gpu, context = (int(text) for text in match.groups())
    return Loaded(version, size, on_gpu, context or None)


def start_failure(lines: Iterable[str]) -> StartFailure | None:
    """Return why the model was not loaded, None if the log does not tell."""
    return first_failure(lines, _TABLE)


def model_error(path: Path) -> GyakusanError | None:
    """Return None: Ollama keeps the model, and says itself what is wrong with it."""
    return None
