"""A server in the background: its name and log, the process of its own, and what it said last where it did not start."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gyakusan import posix
from gyakusan.doors import files
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving import running_servers
from gyakusan.serving.log_files import last_lines
from gyakusan.serving.registration import entry_of
from gyakusan.serving.running_servers import Reservation, RunningServer

MARK = "gyakusan: "
"""Begins each line that the command itself writes into its log."""
ROOM = 64 * 1024
"""What the disk must take before a server is started in the background. [B]"""


@dataclass(frozen=True, slots=True)
class Named:
    """A server that is to start.

    name: of the server
    log: file for its log
    own: the file was named by the user: what stands in it stays
    reservation: of a name that nobody gave, None for one that was given
    """

    name: str
    log: Path
    own: bool = False
    reservation: Reservation | None = None

    def close(self) -> None:
        """Give back a reserved name: the server's own entry stands for it now, or it did not start."""
        if self.reservation is not None:
            self.reservation.release()

    @classmethod
    def of(cls, model: str, name: str | None, log_file: str | None) -> Named:
        """Return the name and the log of a server. model: as it was typed, or its name in a plan.

        Raises BadSetting for a name that is taken, ServerError.
        """
        if name is not None:
            running_servers.check_name(name)
        kept = None if name else Reservation(Path(model).name.partition(":")[0].removesuffix(".gguf"))
        named = kept.name if kept is not None else name or ""
        log = files.expanded(log_file).absolute() if log_file else running_servers.log_path(named)
        made = cls(named, log, own=bool(log_file), reservation=kept)
        try:
            if log_file:
                _check_text(log)
            else:
                _make_folder(log.parent)
        except BaseException:
            made.close()
            raise
        return made

    def unwritten(self, error: OSError) -> ServerError:
        """Return the error for a log that cannot be written."""
        another = "Choose another file for it, or make room on the disk."
        return ServerError(
            "The log file {path} cannot be written: {error}.", path=files.shown(self.log), error=error.strerror or "?",
            mend=another if self.own else "Make room on the disk, or set XDG_STATE_HOME to a folder that you can write.",
        )  # fmt: skip

    @property
    def appends(self) -> bool:
        """True for a file of the user's, and where standard error goes to the log, as that of a server in the background."""
        if self.own:
            return True
        try:
            return os.path.samestat(os.fstat(sys.stderr.fileno()), os.stat(self.log))
        except (OSError, ValueError):
            return False

    def entry(self, asked: Deployment, key_file: str | None) -> RunningServer:
        """Return what is written down of the server; its address is not known yet."""
        return entry_of(self.name, asked, key_file, self.log)


def launch(named: Named, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `gyakusan` in a session of its own, its output in the log; no shell reads the words. Raises ServerError.

    words: of the command, `serve` among them, without its name
    """
    command = [sys.executable, "-P", "-m", "gyakusan", *with_name(words, named.name)]
    try:
        log = posix.open_private(named.log, append=named.own)
        os.close(log)
        _check_room(named.log)
        log = posix.open_private(named.log, append=True)
    except OSError as error:
        raise named.unwritten(error) from error
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    except OSError as error:
        raise ServerError("The server cannot be started: {error}.", error=error.strerror or "?") from error
    finally:
        os.close(log)


def with_name(words: Sequence[str], name: str) -> list[str]:
    """Return the words of a command with the name of its server, without --detach and --json."""
    kept = [w for w in words if w.partition("=")[0] not in ("--detach", "--json")]
    at = kept.index("serve") + 1
    return [*kept, "--name", name] if "--" not in kept else [*kept[:at], "--name", name, *kept[at:]]


def ready(child: subprocess.Popen[bytes]) -> RunningServer | None:
    """Return the entry of a process whose server is ready, None before."""
    found = next((e for e in running_servers.running() if e.pid == child.pid), None)
    return found if found is not None and found.ready else None


def end(child: subprocess.Popen[bytes]) -> None:
    """End a server that nobody waits for any more."""
    with contextlib.suppress(OSError):
        child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(running_servers.ENDING)


def last_words(named: Named) -> str:
    """Return the last thing that the command said in its log, "" if it said nothing."""
    told, _ = last_lines(named.log, 200)
    return next((t.removeprefix(MARK) for t in reversed(told) if t.startswith(MARK)), "")


def check_log(named: Named) -> None:
    """Raise ServerError for a log that takes not even the end of a line any more: its server said nothing therefore."""
    try:
        handle = posix.open_private(named.log, append=True)
        try:
            os.write(handle, b"\n")
        finally:
            os.close(handle)
    except OSError as error:
        raise named.unwritten(error) from error


def _check_room(log: Path) -> None:
    """Raise OSError where the disk of a log takes nothing: a server in the background could not even say so."""
    if not log.is_file():
        return
    try:
        probe = tempfile.TemporaryFile(dir=log.parent, buffering=0)  # noqa: SIM115 - its error is another one
    except PermissionError:  # of the folder: the log itself can be written
        return
    with probe:
        if probe.write(bytes(ROOM)) != ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(probe.fileno())


def _check_text(path: Path) -> None:
    """Raise BadSetting for an existing file that is no text, e.g. a model: a log is added to its end."""
    try:
        begin = files.head(path, 4096)
    except (OSError, ValueError):
        return  # none yet, or whoever opens it says why not
    if b"\0" in begin:
        raise BadSetting("{path} is not a log.", path=str(path), mend="Choose another file for it.")


def _make_folder(folder: Path) -> None:
    """Make the folder of the logs. Raises ServerError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ServerError(
            "{path} cannot be written: {error}.", path=str(folder), error=error.strerror or "?",
            mend="Make room on the disk, or set XDG_STATE_HOME to a folder that you can write.",
        ) from error  # fmt: skip
