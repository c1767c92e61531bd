"""A server as a child process: its own session, its output in a bounded buffer, its end certain."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gyakusan import posix
from gyakusan.doors.text import block
from gyakusan.errors import ServerError

HEAD, TAIL = 5000, 1000
"""Lines that are kept: the first of the start, and the last."""
LONGEST = 4096
"""Longer lines are cut. [B]"""
FILE_LIMIT = 64 * 2**20
"""The log file grows no further. [B]"""
KILLED = 5.0
"""How long a killed process may take to be gone. [s]"""
MARGIN = 2.0
"""How much longer than the server its guard may take to end. [s]"""

_GUARD = Path(__file__).with_name("guard.py")
_MASKED = re.compile(r"\*{4}\S+")
_PID = re.compile(r"^guard: server pid (\d{1,10})$")
_GLUED = re.compile(r"(?<=.)guard: server ended with -?\d{1,5}$")
"""The guard's word behind a line that the server did not finish."""
_ENDED = re.compile(r"^guard: server ended with (-?\d{1,5})$")


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What a guard runs.

    argv: program and arguments
    environment: all of its environment; it goes through a pipe, as it may hold secrets
    input: its standard input; it goes through a pipe, as it may hold secrets
    secrets: texts that must not reach the log
    grace: how long the server may take to end when asked to, before it is killed [s]
    hold: its standard input stays open behind `input` for as long as it runs
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    input: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    grace: float = 4.0
    hold: bool = False


class OutputLog:
    """The first and the last lines that a process printed, without secrets. A thread of its own fills it."""

    def __init__(self, stream: IO[bytes], secrets: tuple[str, ...], file: IO[str] | None) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._secrets = secrets
        self._changed = threading.Condition()
        self._closed = False
        self._file = file
        self._left = FILE_LIMIT
        self._total = 0
        self.file_error: OSError | None = None
        self._thread = threading.Thread(target=self._pump, args=(stream,), name="server-log", daemon=True)
        self._thread.start()

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that are kept, oldest first."""
        with self._changed:
            return (*self._head, *self._tail)

    @property
    def total(self) -> int:
        """How many lines were printed, those that are no longer kept included."""
        return self._total

    @property
    def closed(self) -> bool:
        """True if the child and all that it started have closed their output."""
        return self._closed

    def wait(self, seconds: float) -> None:
        """Wait until a new line comes, the log ends, or `seconds` are over [s]."""
        with self._changed:
            if not self._closed:
                self._changed.wait(seconds)

    def join(self, seconds: float) -> None:
        """Wait until the log has ended, at most `seconds` [s]."""
        self._thread.join(seconds)

    def _pump(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(LONGEST):
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                unfinished = _GLUED.search(text)
                for part in (text,) if unfinished is None else (text[: unfinished.start()], unfinished[0]):
                    self._add(part)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        stream.close()
        self._to_file(None)

    def _add(self, line: str) -> None:
        # A model's metadata is printed too: it must not steer the terminal of who reads the log.
        line = block(line)
        for secret in self._secrets:
            line = line.replace(secret, "[secret]")
        if self._secrets:
            # llama-server prints the last four characters of a key (server-http.cpp, init_listener).
            line = _MASKED.sub("[secret]", line)
        with self._changed:
            (self._head if len(self._head) < HEAD else self._tail).append(line)
            self._total += 1
            self._changed.notify_all()
        if self._left > 0:
            self._left -= len(line) + 1
            self._to_file(line)

    def _to_file(self, line: str | None) -> None:
        """Write a line to the log file, or close it. A file that takes nothing more is given up, and the reason kept."""
        file = self._file
        if file is None:
            return
        try:
            if line is not None:
                file.write(line + "\n")
                return
        except OSError as error:
            self.file_error = error
        self._file = None
        with contextlib.suppress(OSError):
            file.close()


class GuardedProcess:
    """A running server under its guard. `end` may be called at any time, any number of times."""

    def __init__(self, spec: ProcessSpec, log_file: Path | None = None, *, append: bool = False) -> None:
        """Start it. append: continue the log file. Raises ServerError if guard or log file cannot be had."""
        self._grace = spec.grace
        file = _private(log_file, append=append) if log_file else None
        try:
            self._guard = _start_guard(subprocess.PIPE)
        except ServerError:
            if file is not None:
                file.close()
            raise
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        self._stdin = self._guard.stdin
        self.log = OutputLog(self._guard.stdout, spec.secrets, file)
        try:
            self._send(spec)
        except BaseException:
            self.end()
            raise

    def _send(self, spec: ProcessSpec) -> None:
        message = {
            "argv": list(spec.argv),
            "environment": dict(spec.environment),
            "input": spec.input,
            "grace": spec.grace,
            "hold": spec.hold,
        }
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()

    @property
    def pid(self) -> int | None:
        """The server's own process id, once it is known."""
        return _number(_PID, self.log.lines)

    @property
    def exit_code(self) -> int | None:
        """The server's exit status, -n if signal n ended it, None while it runs."""
        code = self._guard.poll()
        if code is None:
            return None
        # The guard's own status says 128 + n: so it stands until the last line of its log is read.
        return _number(_ENDED, self.log.lines[-20:], code if code <= 128 else 128 - code)

    @property
    def alive(self) -> bool:
        """True while the server runs."""
        return self._guard.poll() is None

    def end(self) -> None:
        """Ask the server to end, wait, and then make sure."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            _has_ended(self._guard, self._grace + MARGIN)
        finally:
            self._kill()
        self.log.join(2.0)

    def _kill(self) -> None:
        """Send SIGKILL to what is left of the guard's process group."""
        posix.kill_group(self._guard.pid)
        _has_ended(self._guard, KILLED)


class FileKeeper:
    """A process that removes files when this one goes, however it goes."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Start it. Raises ServerError."""
        self._guard = _start_guard(subprocess.DEVNULL)
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(json.dumps({"remove": [str(file.absolute()) for file in files]}).encode() + b"\n")
            self._guard.stdin.flush()

    def end(self) -> None:
        """Let it remove the files now, and end."""
        assert self._guard.stdin is not None
        with contextlib.suppress(OSError):
            self._guard.stdin.close()
        if not _has_ended(self._guard, MARGIN):
            posix.kill_group(self._guard.pid)
            _has_ended(self._guard, KILLED)


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process; True once it has ended. seconds: the longest wait [s].

    Popen's own wait may never return: where a signal raises in the middle of its poll, which happens ten times a second,
    its lock is not given back (CPython 3.11, subprocess.Popen._internal_poll).
    """
    end = time.monotonic() + seconds
    while process.returncode is None:
        try:
            pid, status = os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else has waited for it
            pid, status = process.pid, 0
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
        elif time.monotonic() >= end:
            return False
        else:
            time.sleep(0.01)
    return True


def _start_guard(output: int) -> subprocess.Popen[bytes]:
    """Return a guard that waits for its order. Raises ServerError."""
    posix.refuse_serving()
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ServerError("The server cannot be started: {error}.", error=error.strerror) from error


def _number(pattern: re.Pattern[str], lines: Sequence[str], default: int | None = None) -> int | None:
    for line in lines:
        if match := pattern.match(line):
            return int(match[1])
    return default


def _private(path: Path, *, append: bool) -> IO[str]:
    """Return the log file, opened for this user alone (0600). Raises ServerError if it can't be written."""
    file = None
    try:
        file = os.fdopen(posix.open_private(path, append=append), "w", encoding="utf-8", errors="replace", buffering=1)
        file.write("Log of the model server that gyakusan started.\n")
    except OSError as error:
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        raise ServerError(
            "The log file {path} cannot be written: {error}.",
            path=str(path),
            error=error.strerror,
            mend="Choose another file for it.",
        ) from error
    return file
