"""A fake RPC worker under the name ggml-rpc-server: it greets and tells its devices, by the protocol of llama.cpp b11434.

$FAKE_RPC_DEVICES: pairs of free and total bytes and an alignment, "1:2:128,..."; $FAKE_RPC_MAJOR: version of the protocol.
"""

from __future__ import annotations

import os
import socket
import struct
import sys


def devices() -> list[tuple[int, int, int]]:
    text = os.environ.get("FAKE_RPC_DEVICES", f"{6 * 2**30}:{8 * 2**30}:16")
    return [tuple(int(n) for n in one.split(":")) for one in text.split(",")]  # type: ignore[misc]


def answered(line: socket.socket) -> None:
    stream = line.makefile("rwb")
    while head := stream.read(9):
        command, size = struct.unpack("<BQ", head)
        body = stream.read(size)
        if command == 14:
            answer = bytes([int(os.environ.get("FAKE_RPC_MAJOR", "7")), 0, 0, 0]) + bytes(24)
        elif command == 15:
            answer = struct.pack("<I", len(devices()))
        else:
            free, total, alignment = devices()[struct.unpack("<I", body)[0]]
            answer = struct.pack("<QQ", free, total) if command == 11 else struct.pack("<Q", alignment)
        stream.write(struct.pack("<Q", len(answer)) + answer)
        stream.flush()


def main() -> int:
    words = sys.argv[1:]
    host, port = words[words.index("--host") + 1], int(words[words.index("--port") + 1])
    try:
        listener = socket.create_server((host, port))
    except OSError:
        print("Failed to create server socket", file=sys.stderr)
        return 0
    while True:
        line, _ = listener.accept()
        with line:
            answered(line)


if __name__ == "__main__":
    sys.exit(main())
