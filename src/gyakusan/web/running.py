"""The page while it runs: a socket and uvicorn, on this computer only unless it is a public copy."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import uvicorn

from gyakusan.errors import BadSetting
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.protocol import Connection
from gyakusan.serving.front.running import listening
from gyakusan.web.app import application

MOST_PORT = 65535
LIMITS = Limits(connections=256, body=1)
"""Of connections: those of the front of served models."""


def is_loopback(host: str) -> bool:
    """Return True for an address that only this computer reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


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
        raise BadSetting("{name} cannot be {value}.", name="--port", value=port, mend="Give a number from 0 to 65535.")
    taken: socket.socket = listening(host, port)
    config = uvicorn.Config(
        application(host, names, public=public),
        http=Connection.kind(LIMITS),  # a head in time, not too large; the idlest connection makes room for a new one
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(LIMITS.idle_time) + 1,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with taken:
        ready(int(taken.getsockname()[1]))
        server.run(sockets=[taken])
