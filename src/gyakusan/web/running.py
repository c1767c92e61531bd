"""The page while it runs: a socket and uvicorn, on this computer only unless it is a public copy."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from gyakusan.errors import BadSetting
from gyakusan.serving.access import is_loopback
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.protocol import Connection
from gyakusan.serving.front.running import config, listening
from gyakusan.web.app import application

MOST_PORT = 65535
LIMITS = Limits(connections=256, body=1)
"""Of connections: those of the front of served models."""


def check_host(host: str, *, public: bool) -> None:
    """Raise BadSetting for an address of the network without --public."""
    if not public and not is_loopback(host):
        raise BadSetting(
            "{host} can be reached from the network, and these pages show this computer.",
            host=host,
            mend="Add --public: it shows nothing of this computer.",
        )


def serve(
    host: str, port: int, names: tuple[str, ...] = (), *, public: bool = False, ready: Callable[[int], None]
) -> None:
    """Answer until it is interrupted. ready: is told the port. Raises BadSetting, ServerError."""
    check_host(host, public=public)
    if not 0 <= port <= MOST_PORT:
        raise BadSetting("{key} cannot be {value}.", key="--port", value=port, mend="Give a number from 0 to 65535.")
    taken: socket.socket = listening(host, port)
    # A head in time, not too large; the idlest connection makes room for a new one.
    made = config(application(host, names, public=public), Connection.kind(LIMITS), LIMITS)
    server = uvicorn.Server(made)
    with taken:
        ready(int(taken.getsockname()[1]))
        server.run(sockets=[taken])
