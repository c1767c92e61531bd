"""A fault of gyakusan itself: one line for the user, and a report in a file that can be sent."""

from __future__ import annotations

import errno
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gyakusan._version import __version__
from gyakusan.catalog import places
from gyakusan.doors.files import shown
from gyakusan.doors.secrets import hidden
from gyakusan.doors.text import block, line, shortened
from gyakusan.message import Message, say

NAME = "crash-report.txt"
LONGEST = 100_000
"""Of a report. [characters]"""
_WORLD = {
    getattr(errno, n) for n in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EMFILE", "ENFILE", "ENOMEM", "EIO")
}
"""Errors of the system that are no fault of ours."""
_SPOKEN = ("LANG", "LC_ALL", "TERM", "COLUMNS", "PYTHONIOENCODING", "PYTHONUTF8", "GYAKUSAN_LANG", "NO_COLOR")


def told(error: BaseException, arguments: Sequence[str]) -> tuple[str, Message, Message | None]:
    """Return kind, sentence and mend for an exception that nothing expected, after its report is written."""
    if isinstance(error, MemoryError):
        return "Failure", say("The memory of this computer ran out."), say("Close other programs.")
    if isinstance(error, OSError) and (error.errno in _WORLD or "temporary directory" in str(error)):
        why = line(error.strerror or str(error))
        file = error.filename
        if isinstance(file, str | os.PathLike):
            return (
                "Failure",
                say("{file}: {why}.", file=shown(file), why=why),
                say("Check its permissions and the disk."),
            )
        return (
            "Failure",
            say("The system refused: {why}.", why=why),
            say("Check the disk and the folder for temporary files."),
        )
    kind = type(error).__name__
    try:
        path = _written(report(error, arguments))
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        return (
            "Crash",
            say("This is a fault of gyakusan ({kind}), and its report cannot be written: {why}.", kind=kind, why=why),
            None,
        )
    mend = say(
        "Send {file} with what you expected: version, command and traceback, without keys and home folder.",
        file=shown(path),
    )
    return "Crash", say("This is a fault of gyakusan ({kind}).", kind=kind), mend


def report(error: BaseException, arguments: Sequence[str]) -> str:
    """Return the text of a report, without secrets."""
    where = {name: os.environ[name] for name in _SPOKEN if name in os.environ}
    encoding = getattr(sys.stdout, "encoding", None)
    lines = [
        f"gyakusan {__version__}",
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"command: gyakusan {' '.join(ascii(a) for a in arguments)}",
        f"python: {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"terminal: {encoding}, " + ", ".join(f"{k}={v!a}" for k, v in where.items()),
        "",
        *(
            shortened(text, 4_000)
            for part in traceback.format_exception(error, limit=-60)
            for text in part.splitlines()
        ),
    ]
    return hidden(block("\n".join(lines), LONGEST)) + "\n"


def _written(text: str) -> Path:
    """Write the report, readable by its owner only, in the place of an earlier one. Raises OSError."""
    path = places.state() / NAME
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    places.write_private(path, text)
    return path
