"""The file that describes several models to a router, and whether the processes that it starts ask for the key."""

from __future__ import annotations

import contextlib
import http.client
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gyakusan.catalog.places import state, write_private
from gyakusan.engines.router import RouterModule
from gyakusan.errors import ServerError
from gyakusan.serving.process import FileKeeper

_PATIENCE = 10.0
TRIES, SILENT = 3, 0
"""A process that does not answer is asked again; whether it asks for the key is not known, so it does not pass."""


class PresetFile:
    """A private file that is removed with `remove`, or when this process goes, however it goes."""

    def __init__(self, text: str) -> None:
        """Write it. Raises ServerError."""
        folder = state() / "presets"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(prefix="models-", suffix=".ini", dir=folder)
            os.close(handle)
            self.path = Path(name)
            write_private(self.path, text)
        except (OSError, ValueError) as error:
            raise ServerError(
                "The preset of the models cannot be written in {folder}: {error}.",
                folder=str(folder), error=getattr(error, "strerror", None) or "?",
                mend="Make room on the disk, or set XDG_STATE_HOME to a folder that you can write.",
            ) from error  # fmt: skip
        try:
            self._keeper = FileKeeper([self.path])
        except BaseException:
            self._unlink()
            raise

    def remove(self) -> None:
        """Remove it. Safe any number of times."""
        self._unlink()
        self._keeper.end()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def check_keyed(module: RouterModule, lines: Iterable[str]) -> None:
    """Raise ServerError if a model's own process answers without the key: everybody on this computer would get past the front."""
    path, body = module.inner_probe()
    for port in module.inner_ports(lines):
        status = next((s for _ in range(TRIES) if (s := _status(port, path, body)) != SILENT), SILENT)
        if status not in (None, http.client.UNAUTHORIZED):
            raise ServerError(
                "This server's router starts models that answer without a key: port {port} said {status}.",
                port=port, status=status, mend="Take another build of the server: no key would protect this one.",
            )  # fmt: skip


def _status(port: int, path: str, body: str) -> int | None:
    """Return what a process of this computer answers without a key, None if nobody listens there, SILENT for no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except ConnectionError:  # nobody listens, or it has just ended
        return None
    except (OSError, http.client.HTTPException):
        return SILENT
    finally:
        connection.close()
