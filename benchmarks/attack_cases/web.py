"""A server on loopback that sends the bytes it is told to send, right or wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress


@contextmanager
def serving(pages: Mapping[str, bytes]) -> Iterator[str]:
    """Answer each request with the raw bytes of its path, those of "" otherwise; yields the address. No pages, no server."""
    if not pages:
        yield "http://127.0.0.1:1"
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = f"http://127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=_accept, args=(server, pages, base), daemon=True).start()
        yield base
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, pages: Mapping[str, bytes], base: str) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(client, pages, base), daemon=True).start()


def _answer(client: socket.socket, pages: Mapping[str, bytes], base: str) -> None:
    with client, suppress(OSError):
        client.settimeout(20)
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 65536:
            more = client.recv(4096)
            if not more:
                return
            head += more
        path = head.split(b" ")[1].decode("latin-1").partition("?")[0]
        client.sendall(
            pages.get(path, pages.get("", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")).replace(
                b"{web}", base.encode()
            )
        )
        client.shutdown(socket.SHUT_WR)
        client.recv(1)
