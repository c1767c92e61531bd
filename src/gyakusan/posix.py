"""Most of what differs by system: calls that only POSIX systems have, and what stands for them on Windows.

What one room alone asks of a system stands there: detection, the guard of a server, dry runs, units, copies of models.

Linux is what the tests run on. macOS is written and untested. On Windows everything but starting servers works: `refuse_serving`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gyakusan.doors.files import head
from gyakusan.errors import GyakusanError, ServerError

if TYPE_CHECKING:
    from signal import Signals
    from types import FrameType

PROC = Path("/proc")
"""Where Linux tells of its processes."""

LOOK = 0.05
"""Time between two tries for a lock on Windows. [s]"""
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""For os.open: a link is not followed, where the system can do that."""
_WINDOWS_FOLDERS = {
    "XDG_CONFIG_HOME": "APPDATA",
    "XDG_DATA_HOME": "LOCALAPPDATA",
    "XDG_STATE_HOME": "LOCALAPPDATA",
    "XDG_CACHE_HOME": "LOCALAPPDATA",
}
"""Variables of Windows for folders that XDG's variables name elsewhere. Source: Microsoft, KNOWNFOLDERID."""


def ending_signals() -> tuple[Signals, ...]:
    """Return the signals that would end this program: asked to, terminal closed, asked to with a core.

    One that the program was told to ignore (nohup) is none of them. One that somebody handles (coverage, a debugger) is:
    a handler set for a while gives way to the one before.
    """
    import signal  # every command imports this module

    known = (getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
    return tuple(number for number in known if signal.getsignal(number) not in (signal.SIG_IGN, None))


class EndsInOrder:
    """A handler of those signals that ends what runs in order: who would handle them for a while leaves it in place."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """End what runs. number: of the signal; frame: where it came."""
        raise SystemExit(128 + number)


def on_windows() -> bool:
    """Return True on Windows."""
    return sys.platform == "win32"


def refuse_serving() -> None:
    """Raise ServerError on Windows: no server of ours was ever started there, and nothing would make sure of its end."""
    if on_windows():
        raise ServerError(
            "Servers are not started on Windows: nobody has tested it.",
            mend="gyakusan plan --command 1 prints the command to run; under WSL 2 everything works as on Linux.",
        )


def folder(variable: str) -> str:
    """Return the folder that an XDG variable names, or what stands for it on Windows; "" where neither is set."""
    value = os.environ.get(variable, "")
    return value or (os.environ.get(_WINDOWS_FOLDERS[variable], "") if on_windows() else "")


def user() -> int | None:
    """Return the number of the user who runs this, None where the system has no such numbers."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def open_to_others(mode: int) -> bool:
    """Return True for a file whose mode lets other users read it; Windows tells of rights elsewhere, and no mode."""
    return not on_windows() and bool(mode & 0o077)


class ProcessStat(Struct, frozen=True):
    """What Linux tells of a process (proc(5), /proc/PID/stat).

    state: one letter, Z and X for one that has ended
    parent: number of the process that started it, or that took it over
    seconds: processor time of it and of its children that have ended [s]
    start: when it began, in clock ticks since the boot
    """

    state: str
    parent: int
    seconds: float
    start: str


def process_stat(pid: int, proc: Path = PROC) -> ProcessStat | None:
    """Return what Linux tells of a process, None where there is none, and on another system."""
    try:
        fields = head(proc / str(pid) / "stat", 4096).decode("utf-8", "replace").rpartition(")")[2].split()
        spent = sum(int(n) for n in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        return ProcessStat(fields[0], int(fields[1]), spent, fields[19])
    except (OSError, GyakusanError, IndexError, ValueError):
        return None


def process_stats(proc: Path = PROC) -> dict[int, ProcessStat]:
    """Return what Linux tells of every process, by number; nothing on another system."""
    try:
        numbers = [int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:
        return {}
    return {n: found for n in numbers if (found := process_stat(n, proc)) is not None}


def kill_group(pid: int) -> None:
    """Send SIGKILL to a process group; nothing happens if there is none, and on Windows, where none was started."""
    if on_windows():
        return
    import signal

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Return True if there is a process of this number. Windows: False, as none was started; os.kill(pid, 0) ends it there."""
    if on_windows():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def process_start(pid: int) -> str:
    """Return when a process began, as the system tells it: a text that no other process of this number has.

    "" for a process that has ended, and where the system does not tell. Linux: the number of this boot and the clock ticks
    since it (proc(5), starttime); elsewhere what `ps` tells (POSIX, lstart of BSD and macOS).
    """
    if on_windows():
        return ""
    found = process_stat(pid)
    if found is None:
        return "" if os.path.isdir("/proc/self") else _start_by_ps(pid)
    try:
        boot = head("/proc/sys/kernel/random/boot_id", 64).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return "" if found.state in ("Z", "X") else f"{boot} {found.start}"


def _start_by_ps(pid: int) -> str:
    import subprocess

    try:
        command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
        told = subprocess.run(command, capture_output=True, timeout=5.0, env={"LC_ALL": "C", "TZ": "UTC"}, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return " ".join(told.stdout.decode("ascii", "replace").split())


def ask_to_end(pid: int, began: str) -> bool:
    """Send SIGTERM to a process, if it began then. Returns False if there is no such process.

    Where the system has handles of processes, the signal reaches no other one that gets the number meanwhile.
    """
    if on_windows():
        return False
    import signal

    opened = getattr(os, "pidfd_open", None)
    try:
        handle = opened(pid) if opened is not None else None
    except ProcessLookupError:
        return False
    except OSError:  # an old kernel
        handle = None
    try:
        if not began or process_start(pid) != began:
            return False
        if handle is None:
            os.kill(pid, signal.SIGTERM)
        else:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return False
    finally:
        if handle is not None:
            os.close(handle)
    return True


def open_private(path: Path, *, append: bool) -> int:
    """Return a descriptor for writing to a file that only this user can read. Raises OSError.

    A device is opened as it is; a link is not followed.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC) | _CAREFUL, 0o600)
    try:
        if not on_windows():
            if stat.S_ISREG(os.fstat(handle).st_mode):
                os.fchmod(handle, 0o600)
            os.set_blocking(handle, True)
    except BaseException:
        os.close(handle)
        raise
    return handle


_CAREFUL = NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def lock(handle: int, *, wait: bool) -> None:
    """Lock an open file until it is closed; on Windows its first byte.

    wait: for as long as somebody else has it; else OSError is raised then. OSError also where the system has no locks there.
    """
    try:
        import fcntl
    except ImportError:
        _lock_on_windows(handle, wait=wait)
        return
    fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_on_windows(handle: int, *, wait: bool) -> None:
    """Ask again and again: LK_LOCK would give up after 10 s. Source: Microsoft, _locking, which says EACCES for a held lock."""
    import msvcrt

    while True:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except PermissionError:
            if not wait:
                raise
            time.sleep(LOOK)
        else:
            return


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; whoever else wants it waits. The system lets go of it when this process ends. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | _CAREFUL, 0o600)
    try:
        lock(handle, wait=True)
        yield
    finally:
        os.close(handle)


def processor_seconds(pid: int) -> float | None:
    """Return the processor time that a process and its ended children have used, None where the system does not tell [s]."""
    found = process_stat(pid)
    return None if found is None else found.seconds
