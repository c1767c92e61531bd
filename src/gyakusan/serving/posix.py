"""Calls that only POSIX systems have, in one place: another system needs another module like this one."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from pathlib import Path

from gyakusan.doors.files import head

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end a program: asked to, terminal closed, asked to with a core."""


def kill_group(pid: int) -> None:
    """Send SIGKILL to a process group; nothing happens if there is none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Return True if there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def open_private(path: Path, *, append: bool) -> int:
    """Return a descriptor for writing to a file that only this user can read. Raises OSError.

    A device is opened as it is; a link is not followed.
    """
    flags = (
        os.O_WRONLY
        | os.O_CREAT
        | (os.O_APPEND if append else os.O_TRUNC)
        | os.O_NOFOLLOW
        | os.O_NONBLOCK
        | os.O_CLOEXEC
    )
    handle = os.open(path, flags, 0o600)
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.fchmod(handle, 0o600)
        os.set_blocking(handle, True)
    except BaseException:
        os.close(handle)
        raise
    return handle


def processor_seconds(pid: int) -> float | None:
    """Return the processor time that a process has used, None where the system does not tell [s]."""
    try:
        text = head(f"/proc/{pid}/stat", 4096).decode("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
