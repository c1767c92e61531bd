"""The page while it runs: a socket and uvicorn, on this computer only unless it is a public copy."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import uvicorn

from gyakusan.errors import BadSetting
from gyakusan.serving.front.running import listening
from gyakusan.web.app import application

MOST_CONNECTIONS = 200
IDLE = 20
"""How long a connection may stay open between requests. [s]"""


def is_loopback(host: str) -> bool:
    """Return True for an address that only this computer reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
    taken: socket.socket = listening(host, port)
    config = uvicorn.Config(
        application(host, names, public=public),
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with taken:
        ready(int(taken.getsockname()[1]))
        server.run(sockets=[taken])
