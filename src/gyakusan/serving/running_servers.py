"""The servers that gyakusan started on this computer: one private file NAME.json for each, as long as it runs.

A number of a process is given again to others: an entry counts only while the process with its number began when it says.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gyakusan import posix
from gyakusan.catalog.places import state, write_private
from gyakusan.doors import files
from gyakusan.doors.shell import shell_word
from gyakusan.errors import BadReference, BadSetting, GyakusanError, ServerError, did_you_mean
from gyakusan.message import quoted

FOLDER, LOGS = "servers", "logs"
"""In the state folder: entries, and the servers' logs."""
LARGEST = 100_000
"""No more is read of an entry. [B]"""
ENDING = 20.0
"""How long a server may take to end: its answers, its process and its guard. [s]"""
NAME = re.compile(r"(?![.-])[\w.-]{1,64}")
"""A name that is a file name and a word of a shell."""
_ATTEMPTS = 1000
_MOST = {"users": 2**20, "context": 2**31, "bytes": 2.0**50, "most_bytes": 2.0**50}
"""No server has as many people, tokens of context and bytes of memory: an entry that says so does not know."""


class ComparedBuffer(Struct, frozen=True):
    """One kind of memory on one device, when the server became ready.

    kind: what it holds, e.g. "weights"
    device: "host", "gpu0", ...
    predicted: our figure, None if we have none [B]
    reported: the server's, None if it has none [B]
    rounding: how much the reported figure may differ from the true one [B]
    model: name of the model whose process it is, "" where there is only one
    """

    kind: str
    device: str
    predicted: float | None
    reported: float | None
    rounding: float = 0.0
    model: str = ""


class ServedModel(Struct, frozen=True):
    """One of several models behind one address.

    name: by which requests name it
    quantization: as the engine calls it
    users: people whom it serves at once
    context: of each of them [tokens]
    bytes: memory that is planned for it, on all devices [B]
    """

    name: str
    quantization: str
    users: int
    context: int
    bytes: float


class RunningServer(Struct, frozen=True, kw_only=True):
    """A server that gyakusan started.

    name: by which `chat`, `connect`, `logs` and `stop` find it
    url: its OpenAI base, as this computer reaches it
    lan_url: the same as other computers reach it, "" if none does or nobody knows
    key_file: file with its key, None if it asks for none
    pid: of the process that looks after it; 0 if nobody wrote it down
    process_start: when that process began, as the system tells it; the same for no other process of this number
    ready: True once the model is loaded
    model: its name
    quantization: as the engine calls it
    engine: name of the engine
    device: what holds most of it
    users: people who are served at once
    context: of each of them [tokens]
    bytes: memory that is planned for it, on all devices [B]
    most_bytes: the most that was planned, with what grows with use; None where nobody wrote it down [B]
    log_file: file with its log
    started: when it was started, UTC, ISO 8601
    computer: name of the computer on which it runs, "" where nobody wrote it down
    version: of the server program, "" if it tells none
    buffers: its memory, predicted and reported
    models: that requests choose among, () where there is only one
    models_max: of them are loaded at the same time, at most
    local_url: the same as url in clear, for programs of gyakusan on this computer; "" where url itself is
    certificate: file by which clients know a self-signed server, "" where none is needed
    source: file or catalogue name of its model, by which it is predicted again; "" of several
    people_keys: True where it lets in everybody who has a key of their own
    workers: that lend it devices of other computers, as they were written
    planned: quantization, mode, machine, changes and settings of its deployment, None where nobody wrote them down. It is
        not checked here: an entry of another version stays readable.
    """

    name: str = ""
    url: str
    lan_url: str = ""
    key_file: str | None = None
    pid: int = 0
    process_start: str = ""
    ready: bool = True
    model: str = ""
    quantization: str = ""
    engine: str = ""
    device: str = ""
    users: int = 0
    context: int = 0
    bytes: float = 0.0
    most_bytes: float | None = None
    log_file: str | None = None
    started: str = ""
    computer: str = ""
    version: str = ""
    buffers: tuple[ComparedBuffer, ...] = ()
    models: tuple[ServedModel, ...] = ()
    models_max: int = 1
    local_url: str = ""
    certificate: str = ""
    source: str = ""
    people_keys: bool = False
    workers: tuple[str, ...] = ()
    planned: dict[str, Any] | None = None

    @property
    def in_ram(self) -> bool:
        """True where all that the server reported is in the computer's RAM; False where it reported nothing."""
        return bool(self.buffers) and all(b.device == "host" for b in self.buffers)


def running() -> tuple[RunningServer, ...]:
    """Return the servers that run on this computer, by name.

    Entries whose process is gone are removed. What cannot be read is left out, and what another computer wrote down, too:
    the folder may be shared by several.
    """
    found = []
    for path in sorted((state() / FOLDER).glob("*.json"), key=lambda p: p.stem):
        entry = _read(path)
        if entry is None or is_elsewhere(entry):
            continue
        if is_alive(entry):
            found.append(entry)
        else:
            remove(entry)
    return tuple(found)


def is_alive(entry: RunningServer) -> bool:
    """Return True while the process of an entry runs; an entry without a process is believed."""
    if not entry.pid:
        return True
    if entry.process_start:
        return posix.process_start(entry.pid) == entry.process_start
    return posix.alive(entry.pid)


def is_elsewhere(entry: RunningServer) -> bool:
    """Return True for an entry that another computer wrote down: its process number means nothing here."""
    return entry.computer not in ("", socket.gethostname()) and not is_alive(entry)


def find_running(name: str | None) -> RunningServer:
    """Return the server of a name; None = the only one that runs. Raises BadReference."""
    known = running()
    if not known and "://" not in (name or ""):
        raise nothing_runs()
    if name is None:
        if len(known) == 1:
            return known[0]
        names = ", ".join(e.name for e in known)
        raise BadReference("Several servers run: {names}.", names=names, mend="Name one of them.")
    found = next((e for e in known if name in (e.name, e.url, e.url.removesuffix("/v1"))), None)
    if found is None and "://" in name:
        raise BadReference(
            "Only servers that gyakusan started are known here, and none of them has the address {url}.",
            url=name[:200], mend="What another server does: {command}", command=f"gyakusan watch {shell_word(name[:200])}",
        )  # fmt: skip
    if found is None:
        all_ = [e.name for e in known]
        raise BadReference(
            "No running server is called {name}.", name=quoted(name, 80, mark='"'),
            near=", ".join(did_you_mean(name, all_) or all_), mend="These run: {near}. All of them: gyakusan ps",
        )  # fmt: skip
    return found


def nothing_runs(*, address: bool = False) -> BadReference:
    """Return the error where no server runs that gyakusan started. address: that of another server would do."""
    mend = "Start one: gyakusan serve smollm2 --detach"
    if address:
        mend = "Start one: gyakusan serve smollm2 --detach, or name an address: http://127.0.0.1:8080/v1"
    return BadReference("No server that gyakusan started runs on this computer.", mend=mend)


def check_name(name: str) -> None:
    """Raise BadSetting for a name that no server can have, or that a running one has."""
    if not NAME.fullmatch(name):
        raise BadSetting(
            "{name} cannot name a server.", name=quoted(name, 80, mark='"'), mend="Use letters, digits, dots, - and _."
        )
    if any(e.name == name for e in running()):
        raise _taken(name)


def free_name(wanted: str) -> str:
    """Return a name that no running server has, made from a model's name."""
    return next(_free_names(wanted))


def _free_names(wanted: str) -> Iterator[str]:
    plain = re.sub(r"[^\w.-]+", "-", wanted.casefold()).strip("-.")[:56] or "server"
    running()  # removes what is gone
    names = (plain, *(f"{plain}-{i}" for i in range(2, _ATTEMPTS)))
    return (n for n in names if _read(_path(n)) is None)


class Reservation:
    """A name that another start at the same moment does not get, until `release` or the end of this process."""

    def __init__(self, wanted: str) -> None:
        """Take a free name, made from a model's name. Raises ServerError."""
        self.name, self._file = _reserved(wanted)

    def release(self) -> None:
        """Give the name back: the server's own entry stands for it now, or there is no server."""
        with contextlib.suppress(OSError):
            self._file.unlink()


def _reserved(wanted: str) -> tuple[str, Path]:
    """Return a free name, and the file that reserves it. Raises ServerError."""
    mine = f"{os.getpid()} {posix.process_start(os.getpid())}"
    for name in _free_names(wanted):
        path = state() / FOLDER / f"{name}.reserved"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _is_stale(path):
                path.unlink(missing_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | posix.NO_FOLLOW, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritten(path, error) from error
        with contextlib.suppress(OSError), os.fdopen(handle, "w") as file:  # a full disk: the name is kept for a moment
            file.write(mine)
        return name, path
    raise ServerError("Too many servers have this name.", mend="Give another --name.")


def _is_stale(path: Path) -> bool:
    """Return True for the reservation of a process that is gone; one that is just being written is not."""
    try:
        number, _, began = files.whole(path, LARGEST).decode("utf-8", "replace").partition(" ")
        age = time.time() - path.stat().st_mtime
    except (GyakusanError, OSError):
        return False
    if not number.isdecimal():
        return age > ENDING
    return not 0 < int(number) < 2**31 or posix.process_start(int(number)) != began


def log_path(name: str) -> Path:
    """Return the file for the log of a server."""
    return state() / LOGS / f"{name}.log"


def live_path(name: str) -> Path:
    """Return the file that tells what a server does now."""
    return state() / FOLDER / f"{name}.live"


def here(entry: RunningServer) -> RunningServer:
    """Return an entry with this process as the one that looks after the server."""
    pid = os.getpid()
    began, now = posix.process_start(pid), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return msgspec.structs.replace(entry, pid=pid, process_start=began, computer=socket.gethostname(), started=now)


def claim(entry: RunningServer) -> None:
    """Write the entry of a server that starts. Raises BadSetting if another running server has its name, ServerError."""
    check_name(entry.name)
    path = _path(entry.name)
    fresh = path.with_name(f".{entry.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(fresh, _text(entry))
        if _read(path) is None:  # what cannot be read names no server
            path.unlink(missing_ok=True)
        try:
            os.link(fresh, path)  # unlike a rename, it fails where another process was first
        except FileExistsError:
            raise _owned(entry.name, path) from None
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritten(path, error) from error


def update(entry: RunningServer) -> None:
    """Write an entry again, whole or not at all. Raises ServerError."""
    try:
        write_private(_path(entry.name), _text(entry))
    except OSError as error:
        raise _unwritten(_path(entry.name), error) from error


def remove(entry: RunningServer) -> None:
    """Remove an entry, unless another process has taken its name meanwhile."""
    now = _read(_path(entry.name))
    if now is not None and (now.pid, now.process_start) == (entry.pid, entry.process_start):
        for path in (_path(entry.name), live_path(entry.name)):
            with contextlib.suppress(OSError):
                path.unlink()


def stop(entry: RunningServer, patience: float = ENDING) -> float:
    """End a server, and return how long that took [s]. Raises ServerError.

    Only the process that the entry names is asked to end: the same number, begun at the same time.
    """
    if not entry.pid or not entry.process_start:
        raise ServerError(
            "{name} was not started by gyakusan serve.", name=entry.name, mend="End it where it was started."
        )
    begun = time.monotonic()
    if not posix.ask_to_end(entry.pid, entry.process_start):
        remove(entry)
        raise ServerError("{name} has ended already.", name=entry.name, mend="What runs: gyakusan ps")
    while is_alive(entry):
        if time.monotonic() - begun > patience:
            raise ServerError(
                "{name} has not ended after {seconds} s.", name=entry.name, seconds=f"{patience:g}", pid=entry.pid,
                mend="End it at once: kill -9 {pid}",
            )  # fmt: skip
        time.sleep(0.05)
    remove(entry)
    return time.monotonic() - begun


def _path(name: str) -> Path:
    return state() / FOLDER / f"{name}.json"


def _text(entry: RunningServer) -> str:
    return msgspec.json.format(msgspec.json.encode(entry).decode(), indent=1) + "\n"


def _read(path: Path) -> RunningServer | None:
    """Return an entry, None for what is none."""
    try:
        told = msgspec.json.decode(files.whole(path, LARGEST), type=RunningServer)
    except (GyakusanError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not told.url.isprintable() or not NAME.fullmatch(path.stem) or not 0 <= told.pid < 2**31:
        return None
    if told.pid == 0 and told.process_start:  # edited by hand: no process began with this number
        return None
    unknown: dict[str, Any] = {k: 0 for k, most in _MOST.items() if not 0 <= (getattr(told, k) or 0) < most}
    return msgspec.structs.replace(told, name=path.stem, **unknown)


def _taken(name: str) -> BadSetting:
    mend = "Talk to it: gyakusan chat {name}. Give another --name, or end it: gyakusan stop {name}"
    url, called = next((e.url for e in running() if e.name == name), ""), quoted(name, 80, mark='"')
    if url:
        return BadSetting("A server called {called} runs already: {url}", called=called, name=name, url=url, mend=mend)
    return BadSetting("A server called {called} runs already.", called=called, name=name, mend=mend)


def _owned(name: str, path: Path) -> BadSetting:
    """Return that a name has an owner, on this computer or on another one that shares the folder."""
    entry = _read(path)
    if entry is None or not is_elsewhere(entry):
        return _taken(name)
    return BadSetting(
        "A server called {name} runs on {computer}.", name=quoted(name, 80, mark='"'), computer=entry.computer, file=str(path),
        mend="Give another --name; if that computer is gone, remove {file}.",
    )  # fmt: skip


def _unwritten(path: Path, error: OSError) -> ServerError:
    return ServerError(
        "{path} cannot be written: {error}.", path=str(path), error=error.strerror or "?",
        mend="Make room on the disk, or set XDG_STATE_HOME to a folder that you can write.",
    )  # fmt: skip
