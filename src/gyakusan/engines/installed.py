"""The build or version of the server programs on this computer, and the setting that stands for it.

A program is executed only where somebody asks for it (`doctor`, `serve`), for a bounded time; its answer is kept until the
program changes, so that `inspect` and `plan` know it without executing anything. An answer without a version is not kept: the
program is asked again. Packages of Python are read, not executed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from gyakusan import posix
from gyakusan.doors import files, scope
from gyakusan.errors import GyakusanError

PATIENCE = 5.0
"""How long a program may take to say its version. [s]"""
MOST = 64 * 2**10
"""Of what a program prints, and of the kept answers [B]."""
UNKNOWN = "unknown"
"""The build of a llama.cpp that was made without its history, which calls itself 0 or 1. No other program has it."""
_LLAMA = re.compile(r"^version: (?:\S{1,40} \(build )?(\d{1,9})(?: \(|, )", re.MULTILINE)
_OLLAMA = re.compile(r"version is (\d+\.\d+\.\d+\S*)")
_ANSWERS = {_LLAMA: re.compile(r"\d{1,9}"), _OLLAMA: re.compile(r"\d+\.\d+\.\d+\S*")}
"""What each question finds -> the shape of its answer, for kept ones."""
_VERSION = re.compile(r"\d+(\.\d+)+\S*")
"""Of a package."""
_LEAST_BUILD = 1000
"""llama.cpp counts commits; smaller numbers are clones without history."""


class Installed(Struct, frozen=True):
    """A server program of this computer.

    program: its path, or the name of its package
    setting: the field of the engine's Settings that stands for its version
    value: as that field takes it, "unknown" for an own build of llama.cpp that has no number
    """

    program: str
    setting: str
    value: str


def installed(engine: str, *, execute: bool = False) -> Installed | None:
    """Return the program that would serve an engine's models, None if it is not here or tells no version.

    execute: ask the program itself where nothing else tells; else only what was kept or can be read
    """
    if not scope.sees_computer():
        return None
    match engine.casefold():
        case "llama.cpp":
            return _llama_server(execute) or _wheel()
        case "ollama":
            return _asked("ollama", "version", _OLLAMA, execute)
        case "vllm":
            return _vllm()
    return None


def _llama_server(execute: bool) -> Installed | None:
    found = _asked("llama-server", "build", _LLAMA, execute)
    if found is None:
        return None
    known = int(found.value) >= _LEAST_BUILD
    return Installed(found.program, found.setting, f"b{found.value}" if known else UNKNOWN)


def _wheel() -> Installed | None:
    """Return the server in the xllamacpp wheel, whose last number is llama.cpp's build."""
    if shutil.which("llama-server"):
        return None
    with contextlib.suppress(metadata.PackageNotFoundError):
        last = metadata.version("xllamacpp").rsplit(".", 1)[-1]
        return Installed("xllamacpp", "build", f"b{last}") if last.isdecimal() else None
    return None


def _vllm() -> Installed | None:
    """Return vLLM by the record of its package: beside the program on PATH, or in this installation."""
    program = shutil.which("vllm")
    if program:
        places = Path(program).resolve().parents[1].glob("lib/python*/site-packages/vllm-*.dist-info")
        for place in sorted(places):
            value = place.name.removesuffix(".dist-info").split("-", 1)[1]
            return Installed(program, "version", value) if _VERSION.fullmatch(value) else None
    with contextlib.suppress(metadata.PackageNotFoundError):
        value = metadata.version("vllm")
        return Installed("vllm", "version", value) if _VERSION.fullmatch(value) else None
    return None


def _asked(name: str, setting: str, pattern: re.Pattern[str], execute: bool) -> Installed | None:
    """Return what a program on PATH says of itself, from the kept answers if it has not changed since."""
    program = shutil.which(name)
    if program is None:
        return None
    stamp, kept = _stamp(program), _kept()
    entry = kept.get(program)
    answer = entry[2] if isinstance(entry, list) and entry[:2] == stamp and len(entry) == 3 else None
    if isinstance(answer, str) and _ANSWERS[pattern].fullmatch(answer):
        return Installed(program, setting, answer)
    if not execute:
        return None
    match = pattern.search(_printed(program))
    if match is None:
        return None
    _keep(kept | {program: [*stamp, match[1]]})
    return Installed(program, setting, match[1])


def _printed(program: str) -> str:
    """Return what a program prints when asked for its version, "" if it does not end in time or prints more than MOST.

    Ollama's would ask a server: none is there.
    """
    environment = {**os.environ, "OLLAMA_HOST": "127.0.0.1:9"}
    try:
        child = subprocess.Popen(
            [program, "--version"],
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    except (OSError, ValueError):
        return ""
    parts: list[bytes] = []
    reader = threading.Thread(target=_read, args=(child, parts), daemon=True)
    try:
        reader.start()
        reader.join(PATIENCE)
        whole = not reader.is_alive()
    finally:
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
    found = b"".join(parts)
    return found.decode("utf-8", "replace") if whole and len(found) <= MOST else ""


def _read(child: subprocess.Popen[bytes], parts: list[bytes]) -> None:
    """Read until the end, or until it is more than MOST. A child of the program may hold the pipe: nobody waits for this."""
    if child.stdout is None:
        return
    size = 0
    with child.stdout as pipe:
        while size <= MOST and (part := pipe.read(MOST + 1 - size)):
            parts.append(part)
            size += len(part)


def _stamp(program: str) -> list[int]:
    """Return what changes where another program lies there: time of change and size [ns, B]."""
    try:
        found = os.stat(program)
    except OSError:
        return [0, 0]
    return [found.st_mtime_ns, found.st_size]


def _place() -> Path:
    return files.expanded(posix.folder("XDG_CACHE_HOME") or "~/.cache") / "gyakusan" / "servers.json"


def _kept() -> dict[str, object]:
    """Return the kept answers, none if they cannot be read: then a program is asked again."""
    try:
        found = json.loads(files.whole(_place(), MOST))
    except (GyakusanError, ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(answers: dict[str, object]) -> None:
    """Write the answers in one step; a disk that is full or read-only keeps none."""
    place = _place()
    made = place.with_name(f"{place.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.write_text(json.dumps(answers), encoding="utf-8")
        os.replace(made, place)
