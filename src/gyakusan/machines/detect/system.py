"""What a probe may ask a computer: files under a root, and commands in limited time. Recorded computers answer alike."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gyakusan.core.machine import Device
from gyakusan.doors.files import head
from gyakusan.errors import DetectError
from gyakusan.message import Message, say

LONGEST = 5.0
"""A command that takes longer yields nothing. [s]"""

MOST = 4 * 2**20
"""No file or answer that a probe wants is larger. [B]"""


def silent(what: str, why: str | Message) -> DetectError:
    """Return the error for a question without an answer: missing, denied, slow or failed. Its facts are `what` and `why`."""
    return DetectError("{what}: {why}", what=what, why=why)


@dataclass(frozen=True, slots=True)
class Ram:
    """The RAM of a computer.

    total: capacity by the OS [B]
    available: free memory by the OS [B]
    limit: of the cgroup, None = none [B]
    used: in use within the cgroup [B]
    """

    total: int
    available: int
    limit: int | None = None
    used: int = 0

    @property
    def capacity(self) -> int:
        """Return the memory that this process could have at most [B]."""
        return self.total if self.limit is None else min(self.total, self.limit)

    @property
    def free(self) -> int:
        """Return the memory that this process may have now: the OS's or the cgroup's remainder, whichever is smaller [B]."""
        rest = self.capacity - self.used if self.limit is not None else self.total
        return max(0, min(self.available, rest))


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of one probe.

    devices: what was detected
    notes: what could not be read
    """

    devices: tuple[Device, ...] = ()
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """The memory of a GPU at one moment, whoever uses it.

    name: of the GPU
    used: by all programs, the driver and the display [B]
    total: all of it [B]
    """

    name: str
    used: int
    total: int


@dataclass(frozen=True, slots=True)
class System:
    """The computer that we run on, or a recorded one.

    root: folder that stands for "/"
    platform: linux, darwin or win32
    cpus: usable cores, None = ask the OS
    answers: recorded output by command, None = run commands
    visible: which GPUs CUDA shows
    """

    root: Path = Path("/")
    platform: str = sys.platform
    cpus: int | None = None
    answers: Mapping[str, str] | None = None
    """Recorded commands ("sysctl -n hw.memsize") and their output; None = run them."""
    visible: str | None = None
    """Recorded CUDA_VISIBLE_DEVICES, None = not set; of this computer that of the process."""

    def read(self, path: str) -> str:
        """Return the text of a file. Raises DetectError if it cannot be read. Undecodable bytes are replaced."""
        try:
            return head(self.root / path.lstrip("/"), MOST).decode("utf-8", "replace")
        except OSError as error:
            raise silent(path, error.strerror or str(error)) from error

    def list(self, pattern: str) -> tuple[str, ...]:
        """Return the paths that match a glob under the root, sorted. Unreadable folders match nothing."""
        try:
            found = sorted(self.root.glob(pattern.lstrip("/")))
        except OSError:
            return ()
        return tuple("/" + str(p.relative_to(self.root)) for p in found)

    def target(self, path: str) -> str:
        """Return the target of a symbolic link, "" if it is none."""
        try:
            return os.readlink(self.root / path.lstrip("/"))
        except OSError:
            return ""

    def run(self, *argv: str) -> str:
        """Return the standard output of a command. Raises DetectError if it is absent, fails, or exceeds LONGEST."""
        if self.answers is not None:
            return _recorded(self.answers, " ".join(argv))
        return _run(argv)

    def has(self, command: str) -> bool:
        """Return True if the command can be run."""
        if self.answers is not None:
            return any(a.split(" ")[0] == command for a in self.answers)
        import shutil

        return shutil.which(command) is not None

    @property
    def cores(self) -> int:
        """Return the cores that this process may use, before any cgroup limit."""
        if self.cpus is not None:
            return self.cpus
        try:
            return len(os.sched_getaffinity(0))
        except (AttributeError, OSError):
            return os.cpu_count() or 1

    @property
    def visible_gpus(self) -> str | None:
        """Return which GPUs this process may use, as CUDA_VISIBLE_DEVICES says it; None for all."""
        return os.environ.get("CUDA_VISIBLE_DEVICES", self.visible) if self.is_this else self.visible

    @property
    def is_this(self) -> bool:
        """Return True for the computer that we run on."""
        return self.answers is None and self.root == Path("/")


def _recorded(answers: Mapping[str, str], command: str) -> str:
    if command not in answers:
        raise silent(command, say("not recorded"))
    return answers[command]


def _run(argv: tuple[str, ...]) -> str:
    import subprocess

    english = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, timeout=LONGEST, stdin=subprocess.DEVNULL, env=english
        )
    except FileNotFoundError as error:
        raise silent(argv[0], say("not installed")) from error
    except subprocess.TimeoutExpired as error:
        raise silent(argv[0], say("no answer within {limit} s", limit=f"{LONGEST:g}")) from error
    except (OSError, ValueError) as error:
        raise silent(argv[0], str(error)) from error
    if done.returncode != 0:
        raise silent(argv[0], say("exit status {status}", status=done.returncode))
    return done.stdout[:MOST].decode("utf-8", "replace")
