"""llama-server's router: several models behind one address, each in a process of its own that is started when it is asked for.

The file of `--models-preset` has a section for each model, with the words of the command line without dashes. Source: llama.cpp
b11434, common/preset.cpp (parse_ini_from_file, to_args), tools/server/server-models.cpp (update_args, load).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gyakusan.core.model import Model
from gyakusan.engines.base import Command
from gyakusan.engines.llamacpp import launch as launching
from gyakusan.engines.llamacpp import log
from gyakusan.engines.llamacpp.launch import HEALTH, PROGRAM
from gyakusan.engines.llamacpp.log import stage, works
from gyakusan.engines.llamacpp.log_errors import LONGEST_LINE, start_failure
from gyakusan.engines.llamacpp.server import device_family, gave_up, title
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.engines.router import Routed
from gyakusan.engines.server import Endpoint, Given, Launch, PredictedBuffer
from gyakusan.errors import BadSetting, GyakusanError, ServerError
from gyakusan.message import quoted
from gyakusan.units import MIB

__all__ = ["HEALTH", "device_family", "gave_up", "stage", "start_failure", "title", "works"]

GIVEN: Given = "file"
PROVED = False
"""The router answers at once; its models are asked for a token."""
PROGRAMS: tuple[str, ...] = (PROGRAM,)

_OF_ROUTER = {"--host", "--port", "--no-ui", "--offline", "--log-verbosity", "--alias", "--cors-origins"}
"""Words of a model's command that the router itself is given, or gives to its processes."""
_REPEATED = "--override-tensor"
_SPAWNED = re.compile(r"spawning server instance with name=(.{1,256}) on port (\d{1,5})$")
_INNER = re.compile(r"^\[ {0,4}(\d{1,5})\] ")
_BROKEN = re.compile(r"[;#\r\n]|^\s|\s$|^$")
"""What a value of the file cannot hold: a comment begins there, a line ends, or blanks are dropped."""


def find_program(choice: str) -> str:
    """Return the path of llama-server. Raises ServerError if it is not here: the server in the xllamacpp wheel has no router."""
    program = shutil.which(PROGRAM)
    if program is None or choice not in ("auto", PROGRAM):
        raise ServerError(
            "Several models behind one address need llama-server, which is not on PATH.",
            mend="Put llama-server on PATH: the server inside the xllamacpp wheel has no router.",
        )
    return program


def preset(routed: Routed) -> str:
    """Return a section for each model, with every option that its own command line has. Raises BadSetting."""
    sections = []
    for model in routed.models:
        assert isinstance(model.settings, Settings)
        options = _options((*launching.arguments(model.path, model.settings), *model.words))
        if routed.prompt_cache is not None:
            options["cache-ram"] = str(int(routed.prompt_cache // MIB))
        sections.append("\n".join((f"[{model.name}]", *(f"{k} = {_value(v)}" for k, v in options.items()))))
    return "\n\n".join(sections) + "\n"


def _options(words: Sequence[str]) -> dict[str, str]:
    """Return the words of a command as keys and values; a switch is true, and several overrides are one."""
    found: dict[str, str] = {}
    place = 0
    while place < len(words):
        word = words[place]
        switch = place + 1 == len(words) or words[place + 1].startswith("--")
        value = "true" if switch else words[place + 1]
        place += 1 if switch else 2
        key = word.removeprefix("--")
        if word == _REPEATED and key in found:
            value = f"{found[key]},{value}"
        if word not in _OF_ROUTER:
            found[key] = value
    return found


def _value(text: str) -> str:
    """Return a value as the file holds it. Raises BadSetting."""
    if _BROKEN.search(text):
        raise BadSetting(
            "llama-server's preset file cannot hold {value}: it has ; or # in it, or a blank at its end.",
            value=quoted(text, 200), mend="Rename the file, or make a link to it.",
        )  # fmt: skip
    return text


def arguments(file: Path, routed: Routed, *, host: str, port: int, cors: str | None = None) -> tuple[str, ...]:
    """Return what follows `llama-server`. It never has the key, see `environment`."""
    words = ["--models-preset", os.path.abspath(file), "--models-max", str(routed.models_max)]
    words += ["--host", host, "--port", str(port), "--no-ui", "--offline", "--log-verbosity", str(launching.VERBOSITY)]
    return (*words, *(("--cors-origins", cors) if cors else ()))


def environment(key: str | None, file: Path, base: Mapping[str, str], *, gpu: bool = True) -> dict[str, str]:
    """Return the router's environment.

    The key: of a router's options `--api-key` and `--api-key-file` its processes get neither, and answer everybody on this
    computer (seen with b11434); they inherit LLAMA_API_KEY. LLAMA_CACHE: models of the usual cache would be offered too,
    whatever their size. Source: tools/server/server-models.cpp (unset_reserved_args, load_models).
    """
    return launching.environment(key, base, gpu=gpu) | {"LLAMA_CACHE": str(_empty(file))}


def _empty(file: Path) -> Path:
    """Return a folder beside the preset that does not exist: a cache without models."""
    return Path(os.path.abspath(file)).with_name("no-models")


def launch(program: str, path: Path, settings: Routed, endpoint: Endpoint) -> Launch:
    """Return how the router is started. path: the file with the preset."""
    cors = None if endpoint.public else "localhost"
    words = arguments(path, settings, host=endpoint.host, port=endpoint.port, cors=cors)
    words += ("--threads", str(endpoint.threads)) if endpoint.threads else ()
    gpu = any(isinstance(m.settings, Settings) and m.settings.backend != "cpu" for m in settings.models)
    return Launch((program, *words), environment(endpoint.key, path, os.environ, gpu=gpu))


def command(file: Path, routed: Routed, host: str, port: int) -> Command:
    """Return what a person would start. file: with the preset."""
    words = ("--models-preset", str(file), *arguments(file, routed, host=host, port=port)[2:])
    return Command((PROGRAM, *launching.without_log(words)), {"LLAMA_CACHE": "no-models"})


def shell_line(path: Path, settings: Routed, endpoint: Endpoint) -> str:
    """Return the line that a person would type to start the same."""
    found = command(path, settings, endpoint.host, endpoint.port)
    key = 'LLAMA_API_KEY="$GYAKUSAN_API_KEY" ' if endpoint.key else ""
    return key + " ".join((*(f"{k}={v}" for k, v in found.environment.items()), *found.argv))


def listens(line: str, port: int) -> bool:
    """Return True if the router says here that it listens on `port`; its processes say so after their own port."""
    return not _INNER.match(line) and log.listens(line, port)


def read(lines: Iterable[str]) -> log.Reported:
    """Return what the whole log reports; its buffers are those of all processes."""
    return log.read(lines)


def reports(lines: Iterable[str]) -> dict[str, log.Reported]:
    """Return what each model's process logged at its last start, by the model's name."""
    owner: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for line in lines:
        short = line[:LONGEST_LINE]
        if match := _SPAWNED.search(short):
            owner[match[2]] = match[1]
            found[match[1]] = []
        elif (match := _INNER.match(short)) and match[1] in owner:
            found[owner[match[1]]].append(short[match.end() :])
    return {name: log.read(told) for name, told in found.items()}


def inner_ports(lines: Iterable[str]) -> tuple[int, ...]:
    """Return the loopback ports at which the models' processes were told to listen."""
    matches = (_SPAWNED.search(line[:LONGEST_LINE]) for line in lines)
    return tuple(dict.fromkeys(int(m[2]) for m in matches if m))


def inner_probe() -> tuple[str, str]:
    """Return a path and a body that a process refuses with 401 where it asks for the key."""
    return "/tokenize", '{"content": ""}'


def model_error(path: Path) -> GyakusanError | None:
    """Return None: the models' own files were read before the preset was written."""
    return None


def dry_run(model: Model, settings: Routed) -> tuple[tuple[()], log.Reported]:
    """Raise ServerError: a router has no dry run of its own."""
    raise ServerError("A router has no dry run.", mend="Check each model alone: gyakusan inspect MODEL --exact")


def predicted_buffers(model: Model, settings: Routed) -> tuple[PredictedBuffer, ...]:
    """Return nothing: each model is compared by itself."""
    return ()
