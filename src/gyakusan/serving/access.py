"""Who may reach the server: the guard in front of every start, and the key that strangers need."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import socket
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gyakusan import posix
from gyakusan.catalog.places import state
from gyakusan.doors.shell import shell_word
from gyakusan.doors.text import line, shortened
from gyakusan.errors import BadSetting, ServerError
from gyakusan.message import quoted, say
from gyakusan.serving.process import FileKeeper

KEY_VARIABLE = "GYAKUSAN_API_KEY"
"""The environment variable that examples name instead of the key."""

_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{16,256}")
_MADE = re.compile(r"gyakusan-(\d{1,10})-\w+\.key")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may reach a server.

    host: address or name to listen on
    port: port to listen on, 0 for a free one
    key: what clients must show, None if nobody asks for it
    path: file that holds the key if we made it
    keeper: removes that file when this process goes
    """

    host: str
    port: int
    key: str | None = field(repr=False)
    path: Path | None = None
    keeper: FileKeeper | None = field(default=None, repr=False)

    def remove_key_file(self) -> None:
        """Remove the key file that we made."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()
        if self.keeper is not None:
            self.keeper.end()


def is_loopback(host: str) -> bool:
    """Return True if only this computer can reach `host`."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def curl_line(url: str, body: str, key_path: Path | None, certificate: Path | None, *, keyed: bool) -> str:
    """Return a line that asks a server. The key is read from its file, else from a variable; never its value.

    body: JSON of the request; certificate: file by which a self-signed server is known; keyed: it asks for a key
    """
    shown = f"${KEY_VARIABLE}" if key_path is None else f"$(cat {shell_word(str(key_path))})"
    header = f' -H "Authorization: Bearer {shown}"' if keyed else ""
    quoted = body.replace("'", "'\\''")
    known = "" if certificate is None else f"--cacert {shell_word(str(certificate))} "
    return f"curl {known}{url}/chat/completions -H 'Content-Type: application/json'{header} -d '{quoted}'"


def check_address(host: str, port: int, threads: int | None) -> None:
    """Raise BadSetting for a host, a port or CPU threads that no server is started with, whoever may reach it."""
    check_access(host, port, "0" * 16)
    if threads is not None and threads < 1:
        raise BadSetting("{key} cannot be {value}.", key="threads", value=threads, mend="Give 1 or more.")


def check_access(host: str, port: int, key: str | None) -> None:
    """Raise BadSetting for a host, port or key that no server may be started with.

    Other computers get in by a key only.
    """
    if not _HOST.fullmatch(host):
        raise BadSetting(
            "{host} is not a host name.", host=quoted(host, 80), mend="Give one address or name, e.g. 127.0.0.1."
        )
    if not 0 <= port <= 65535:
        raise BadSetting("{port} is not a port.", port=port, mend="Give a port from 1 to 65535, or 0 for a free one.")
    if key is None and not is_loopback(host):
        raise BadSetting(
            "{host} is reachable from other computers, and no API key is set.",
            host=host,
            mend="Give a key, or listen on 127.0.0.1.",
        )
    if key is not None and not _KEY.fullmatch(key):
        raise BadSetting(
            "This API key cannot be used.", mend="Use 16 to 256 letters, digits or . _ ~ + / = - without spaces."
        )


def grant_access(host: str, port: int, key: str | None, *, keyed: bool = False) -> Access:
    """Return the access to host and port; where a key is needed and none given, make one and write it to a file.

    keyed: a key is needed also where only this computer reaches the server
    Raises BadSetting as `check_access` does, ServerError if no folder takes the file.
    """
    check_access(host, port, key or "0" * 16)
    if key is not None or (is_loopback(host) and not keyed):
        check_access(host, port, key)
        return Access(host, port, key)
    key = secrets.token_urlsafe(32)
    path = _write(key)
    try:
        return Access(host, port, key, path, FileKeeper([path]))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def seen_from_outside(host: str) -> str | None:
    """Return the address by which other computers reach a server that listens on `host`, None if none does."""
    if is_loopback(host):
        return None
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host  # a name
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system only says from which address it would
            found = str(probe.getsockname()[0])
    except OSError:
        return None
    return None if is_loopback(found) else found


def free_port(host: str) -> int:
    """Return a port on `host` that nobody uses now. Raises BadSetting if this computer can't listen there at all."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise BadSetting(
            "This computer cannot listen on {host}: {error}.",
            host=host,
            error=error.strerror,
            mend="Give an address of this computer, e.g. 127.0.0.1.",
        ) from error


def _write(key: str) -> Path:
    """Return a new file that holds the key, of mode 0600. Raises ServerError if no folder takes it."""
    problem = say("no folder is there")
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sweep(folder)
            return _new_file(folder, key)
        except OSError as error:
            problem = say("{folder}: {why}", folder=str(folder), why=error.strerror or str(error))
    raise ServerError(
        "The API key that was made cannot be written: {problem}.",
        problem=problem,
        mend="Make room on the disk, or give a key with --key-file.",
    )


def _folders() -> Iterator[Path]:
    """Yield the folders for the key file, the best first."""
    yield state() / "keys"
    with contextlib.suppress(OSError):  # no temporary folder can be written
        yield Path(tempfile.gettempdir())


def _new_file(folder: Path, key: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"gyakusan-{os.getpid()}-", suffix=".key", dir=folder)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(key + "\n")
    except OSError:
        os.unlink(name)
        raise
    return Path(name)


def _sweep(folder: Path) -> None:
    """Remove the key files of processes that are gone: those that were killed together with what should remove them."""
    for file in folder.glob("gyakusan-*.key"):
        match = _MADE.fullmatch(file.name)
        if match and not posix.alive(int(match[1])):
            with contextlib.suppress(OSError):
                file.unlink()


def split_address(url: str) -> urllib.parse.SplitResult:
    """Return the parts of a server's address. Raises BadSetting, also for one that holds a password."""
    try:
        parts = urllib.parse.urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or any(not c.isprintable() or c.isspace() for c in url):
        raise BadSetting(
            '"{url}" is not the address of a server.', url=line(shortened(url.rpartition("@")[2], 100)),
            mend="Write for example http://127.0.0.1:8080.",
        )  # fmt: skip
    if parts.username is not None or parts.password is not None:
        raise BadSetting(
            "A key in the address can be read by everybody on this computer.", name=KEY_VARIABLE,
            mend="Put it into the variable {name}, or into a file: --key-file FILE.",
        )  # fmt: skip
    return parts
