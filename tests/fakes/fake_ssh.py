"""A fake ssh (fake_ssh): it takes ssh's options, runs the "remote" command here, and forwards the port.

As sshd does, it runs the command in a session of its own and sends it no signal when the connection ends: only its
standard input ends. $FAKE_SSH_LOG: file for the arguments; $FAKE_SSH_SAYS: what it says instead of connecting;
$FAKE_SSH_STAYS: then it stays, as ssh does that may not forward.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

ARGUMENTS = {"-o", "-L", "-p", "-i", "-F"}


def parsed(words: list[str]) -> tuple[str, str, list[str]]:
    """Forwarding, destination, command. ssh takes words with a dash as options until "--" or the destination."""
    forward, at = "", 0
    while words[at].startswith("-") and words[at] != "--":
        if words[at] == "-L":
            forward = words[at + 1]
        at += 2 if words[at] in ARGUMENTS else 1
    at += words[at] == "--"
    return forward, words[at], words[at + 1 :]


def pump(source: socket.socket, to: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            to.sendall(piece)
    except OSError:
        pass
    for end in (source, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def forwarded(listener: socket.socket, port: int) -> None:
    while True:
        near, _ = listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", port), timeout=5)
            far.settimeout(None)
        except OSError:
            near.close()
            continue
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def main() -> int:
    forward, _, command = parsed(sys.argv[1:])
    if log := os.environ.get("FAKE_SSH_LOG"):
        with open(log, "a") as file:
            file.write(repr(sys.argv[1:]) + "\n")
    if says := os.environ.get("FAKE_SSH_SAYS"):
        print(says, file=sys.stderr)
        if os.environ.get("FAKE_SSH_STAYS"):
            time.sleep(120)
        return 255
    host, near, _, far = forward.split(":")
    try:
        listener = socket.create_server((host, int(near)))
    except OSError:
        print("bind: Address already in use\nCould not request local forwarding.", file=sys.stderr)
        return 255
    threading.Thread(target=forwarded, args=(listener, int(far)), daemon=True).start()
    remote = subprocess.Popen(["sh", "-c", " ".join(command)], stdin=subprocess.PIPE, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(255))  # its input ends with this process; nobody kills it
    return remote.wait()


if __name__ == "__main__":
    sys.exit(main())
