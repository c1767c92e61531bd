"""A worker of llama.cpp's RPC: it lends the devices of another computer to llama-server, one at a time.

The protocol has no password and no encryption. Source: llama.cpp b11434, ggml/src/ggml-rpc/ggml-rpc.cpp (rpc_serve_client,
negotiate_hello), ggml/include/ggml-rpc.h (protocol 7), tools/rpc/rpc-server.cpp.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import NamedTuple

from gyakusan.core.machine import Backend, Device
from gyakusan.errors import ServerError

SETTING = "rpc"
"""The setting that names workers as host:port."""
PORT = 50052
"""Where a worker listens unless it is told otherwise. Source: tools/rpc/rpc-server.cpp, rpc_server_params."""
PROTOCOL = 7
"""Version of the protocol that we speak; others may be laid out in another way."""
MOST = 16
"""Workers that one llama-server takes. Source: llama.cpp b11434, ggml/include/ggml-rpc.h, GGML_RPC_MAX_SERVERS."""
MOST_DEVICES = 16
"""No worker lends more."""

PLACE, SERVER = "/app/", "llama-server"
"""In an image of the stage `full`. Source: llama.cpp b11434, .devops/cuda.Dockerfile; it builds without RPC unless told."""

_ALIGNMENT, _MEMORY, _HELLO, _COUNT = 1, 11, 14, 15
"""Commands. Source: enum rpc_cmd."""
_CAPABILITIES = bytes(24)
"""None: plain TCP. Source: transport.h, RPC_CONN_CAPS_SIZE."""
_CUDA_ALIGNMENT = 128
"""Of CUDA, ROCm and SYCL, whose padding is the same (backends.PADDING); other devices count as Vulkan's. [B]"""
_LOOK_FOR = ("ggml-rpc-server", "rpc-server")
"""Names of the program: today's, and that of builds before 2026."""
_NO_PROGRAM, _TAKEN = "gyakusan: no RPC server", "Failed to create server socket"


def words(host: str, port: int) -> tuple[str, ...]:
    """Return the words that start a worker. host: address to listen on."""
    return _LOOK_FOR[0], "--host", host, "--port", str(port)


def start_line(port: int) -> str:
    """Return the line that a person types to start a worker that only its own computer reaches."""
    return " ".join(words("127.0.0.1", port))


def script(port: int) -> str:
    """Return the line that starts a worker through ssh, on the loopback of its computer, and ends it with the session.

    Nobody sends a signal there when a connection breaks; but standard input ends, and `cat` with it.
    """
    found = " || ".join(f"command -v {name}" for name in _LOOK_FOR)
    steps = (
        'PATH="$PATH:$HOME/.local/bin:/usr/local/bin:/opt/homebrew/bin"',
        f'p=$({found}) || {{ echo "{_NO_PROGRAM}" >&2; exit 127; }}',
        "exec 3<&0",
        f'"$p" --host 127.0.0.1 --port {port} </dev/null 3<&- & w=$!',
        'trap "kill $w" HUP INT TERM',
        "{ cat <&3; kill $w; sleep 5; kill -9 $w; } >/dev/null 2>&1 & c=$!",
        "exec 3<&-",
        "wait $w",
        "s=$?",
        "kill $c 2>/dev/null",
        "exit $s",
    )
    return f"exec sh -c '{'; '.join(steps)}'"


def failure(line: str, port: int, where: str) -> ServerError | None:
    """Return what a line of a started worker's log tells of its end, None if it tells nothing."""
    if _NO_PROGRAM in line:
        return ServerError(
            "{where} has no {program}.", where=where, program=_LOOK_FOR[0],
            mend="Build llama.cpp there with -DGGML_RPC=ON and put {program} on its PATH.",
        )  # fmt: skip
    if _TAKEN in line:
        return ServerError(
            "Port {port} of {where} is taken.", port=port, where=where, mend="Name another one: ssh:HOST:PORT"
        )
    return None


def devices(host: str, port: int, seconds: float) -> tuple[Device, ...]:
    """Return the devices that a worker lends, as it tells them itself. Raises ServerError.

    seconds: how long it may take to answer [s]
    """
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=seconds) as line:
            return _told(_Line(line, time.monotonic() + seconds), place)
    except TimeoutError as error:
        raise ServerError(
            "Nothing at {place} answers as an RPC worker.", place=place,
            mend="A worker serves one llama-server at a time: is it busy with another one?",
        ) from error  # fmt: skip
    except OSError as error:
        raise ServerError(
            "No RPC worker can be reached at {place}: {error}.", place=place, error=error.strerror or "?",
            line=start_line(port), mend="Start it on its computer: {line}",
        ) from error  # fmt: skip


class _Line(NamedTuple):
    """A connection on which every answer has come by one time, however slowly its bytes drip.

    socket: connected
    end: by the monotonic clock [s]
    """

    socket: socket.socket
    end: float

    def send(self, body: bytes) -> None:
        """Send. Raises OSError."""
        self._until_end()
        self.socket.sendall(body)

    def exactly(self, length: int, place: str) -> bytes:
        """Return so many bytes. Raises ServerError where the other side closes before, OSError."""
        found = b""
        while len(found) < length:
            self._until_end()
            piece = self.socket.recv(length - len(found))
            if not piece:
                raise _stranger(place)
            found += piece
        return found

    def _until_end(self) -> None:
        rest = self.end - time.monotonic()
        if rest <= 0:
            raise TimeoutError
        self.socket.settimeout(rest)


def _told(line: _Line, place: str) -> tuple[Device, ...]:
    """Greet a worker and ask it for its devices. Raises ServerError, OSError."""
    major, minor, patch = struct.unpack("<3B", _ask(line, place, _HELLO, _CAPABILITIES, 4 + len(_CAPABILITIES))[:3])
    if major != PROTOCOL:
        raise ServerError(
            "The RPC worker at {place} speaks protocol {version}, and not {ours}.", place=place,
            version=f"{major}.{minor}.{patch}", ours=PROTOCOL, mend="Use the same build of llama.cpp on all computers.",
        )  # fmt: skip
    (count,) = struct.unpack("<I", _ask(line, place, _COUNT, b"", 4))
    if not 1 <= count <= MOST_DEVICES:
        raise _stranger(place)
    return tuple(_device(line, place, number, several=count > 1) for number in range(count))


def _device(line: _Line, place: str, number: int, *, several: bool) -> Device:
    which = struct.pack("<I", number)
    free, total = struct.unpack("<QQ", _ask(line, place, _MEMORY, which, 16))
    (alignment,) = struct.unpack("<Q", _ask(line, place, _ALIGNMENT, which, 8))
    backend: Backend = "cuda" if alignment == _CUDA_ALIGNMENT else "vulkan"
    name = f"RPC {place}" + (f" #{number}" if several else "")
    taken = max(0, total - free)
    return Device(
        name, "gpu", total or None, backend, reserved=taken, reserved_basis="read", memory_basis="read", source=place
    )


def _ask(line: _Line, place: str, command: int, body: bytes, length: int) -> bytes:
    """Return the answer to a command. Raises ServerError for another length than the protocol's, OSError.

    length: of the answer [B]
    """
    line.send(struct.pack("<BQ", command, len(body)) + body)
    (told,) = struct.unpack("<Q", line.exactly(8, place))
    if told != length:
        raise _stranger(place)
    return line.exactly(length, place)


def _stranger(place: str) -> ServerError:
    return ServerError(
        "What listens at {place} is no RPC worker of this llama.cpp.", place=place,
        mend="Use the same build of llama.cpp on all computers.",
    )  # fmt: skip
