"""Attacks on a running `gyakusan serve`: what somebody else notices of them, and what stays behind.

python benchmarks/attack_server.py [--half-open 300] [--requests 10000] [--streams 200] [--json]

A real server (SmolLM2 on the CPU) is started as people start it, with a key. The attacker comes from 127.0.0.1, somebody
else from 127.0.0.2 with the same key and asks for one token again and again: the slowest answer is printed for each attack.
An attack is held if every answer came within two seconds and nothing stayed behind. Loopback only.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WITHIN = 2.0
"""Somebody else has an answer within this time. [s]"""
KEY = "the-key-of-this-benchmark-0123456789"
_HEAD = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n"
_STARS = {"type": "string", "pattern": "^(" + "(a|b)*" * 100 + ")$"}


@dataclass
class Row:
    """One attack: how often it was tried, and what somebody else noticed."""

    attack: str
    tried: int
    answers: dict[int, int]
    slowest: float
    refused: str = ""
    left: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return self.slowest <= WITHIN and not self.left and sum(self.answers.values()) > 0


class Somebody:
    """Another person, who asks for a token again and again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._end = threading.Event()
        self.times: list[tuple[int, float]] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Somebody:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)

    def _ask(self) -> None:
        while not self._end.is_set():
            begun = time.monotonic()
            status = chat(self._port, {"max_tokens": 1}, source="127.0.0.2")[0]
            self.times.append((status, time.monotonic() - begun))
            self._end.wait(0.2)

    def row(self, attack: str, tried: int, refused: str = "") -> Row:
        answers: dict[int, int] = {}
        for status, _ in self.times:
            answers[status] = answers.get(status, 0) + 1
        return Row(attack, tried, answers, max((t for _, t in self.times), default=float("inf")), refused)


class Served:
    """`gyakusan serve smollm2` with a key, as a process."""

    def __init__(self, folder: Path, *options: str, limit: Callable[[], None] | None = None, **variables: str) -> None:
        key = folder / "key"
        key.write_text(KEY + "\n")
        key.chmod(0o600)
        self.port = free_port()
        command = [sys.executable, "-m", "gyakusan", "serve", "smollm2", "--users", "4", "--context", "2048", "--cpu"]
        command += ["--port", str(self.port), "--key-file", str(key), *options]
        state = {"XDG_STATE_HOME": str(folder), **variables}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit,  # noqa: PLW1509
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src"), **state},
        )  # fmt: skip

    def __enter__(self) -> Served:
        while self.process.poll() is None:
            if chat(self.port, {"max_tokens": 1})[0] == 200:
                return self
            time.sleep(0.2)
        raise SystemExit(self.process.communicate()[1])

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)

    def family(self) -> dict[str, int]:
        """Name and number of this program's processes."""
        guards = children(self.process.pid)
        server = next((pid for guard in guards for pid in children(guard)), 0)
        return {"gyakusan": self.process.pid, "guard": guards[0], "server": server}


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text() if Path(f"/proc/{pid}").exists() else ""
    return [int(word) for word in text.split()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def chat(port: int, body: dict[str, Any], source: str = "127.0.0.1", seconds: float = 120.0) -> tuple[int, bytes]:
    """Status and body of an answer; status 0 if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds, source_address=(source, 0))
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    asked = {"messages": [{"role": "user", "content": "Hi"}], **body}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(asked), headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def half_open(served: Served, count: int) -> Row:
    """Connections that begin a request and wait."""
    with Somebody(served.port) as other:
        strangers = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                stranger = socket.create_connection(("127.0.0.1", served.port), timeout=5)
                stranger.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
                strangers.append(stranger)
        time.sleep(5)
        for stranger in strangers:
            stranger.close()
    return other.row("half-open connections", count)


def hostile() -> dict[str, dict[str, Any]]:
    """Small requests that keep an unprotected server busy for minutes."""
    deep: dict[str, Any] = {"$ref": "#/$defs/d20", "$defs": {"d0": {"type": "string", "pattern": "^a*$"}}}
    for i in range(1, 21):
        deep["$defs"][f"d{i}"] = {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{i - 1}"}] * 2}
    self_made = {"anyOf": [{"type": "array", "prefixItems": [{"$ref": "#"}, {"const": n}]} for n in (1, 2)]}
    grammar = "root ::= " + "[ab]* " * 100
    twice = "root ::= " + "r0 r0\n" + "\n".join(f"r{i} ::= r{i + 1} r{i + 1}" for i in range(20)) + '\nr20 ::= "a"*'
    return {
        "schema: 100 starred groups": schema(_STARS),
        "schema: doubled 20 times": schema(deep),
        "schema: contains itself": schema(self_made),
        "schema: a string of 10^9": schema({"type": "string", "minLength": 10**9}),
        "tool: 100 starred groups": {"tools": [{"type": "function", "function": {"name": "f", "parameters": _STARS}}]},
        "grammar: 100 stars": {"grammar": grammar},
        "grammar: doubled 20 times": {"grammar": twice},
        "grammar: uses itself": {"grammar": 'root ::= "x" root "y" | "x" root "z" | ""'},
        "all probabilities": {"logprobs": True, "top_logprobs": 49152},
        "1,000 answers": {"n": 1000},
        "a large prompt": {"messages": [{"role": "user", "content": "x " * 2_000_000}]},
        "nested JSON": {"metadata": json.loads("[" * 400 + "]" * 400)},
    }


def schema(found: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": found}}}


def hostile_bodies(served: Served) -> Iterator[Row]:
    for name, body in hostile().items():
        with Somebody(served.port) as other:
            begun = time.monotonic()
            status, answer = chat(served.port, {"max_tokens": 8, **body})
            seconds = time.monotonic() - begun
            time.sleep(max(0.0, 1.0 - seconds))
        with contextlib.suppress(ValueError, KeyError, TypeError):
            answer = json.loads(answer)["error"]["type"]
        yield other.row(name, 1, f"{status} {answer if isinstance(answer, str) else ''} {seconds:.1f} s")


def many(served: Served, count: int) -> Row:
    """Small requests of one client, 64 at a time."""
    seen: dict[int, int] = {}
    with Somebody(served.port) as other, ThreadPoolExecutor(64) as pool:
        for status, _ in pool.map(lambda _: chat(served.port, {"max_tokens": 1}), range(count)):
            seen[status] = seen.get(status, 0) + 1
    return other.row("small requests, 64 at a time", count, " ".join(f"{n} x {s}" for s, n in sorted(seen.items())))


def cut(served: Served, count: int) -> Row:
    """Streams whose reader hangs up after the first bytes."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 500}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{_HEAD}Content-Type: application/json\r\n"

    def one(_: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", served.port), timeout=60) as stream:
            stream.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            return b"200" in stream.recv(200)
        return False

    files = len(os.listdir(f"/proc/{served.process.pid}/fd"))
    with Somebody(served.port) as other, ThreadPoolExecutor(16) as pool:
        begun = sum(pool.map(one, range(count)))
    time.sleep(1.0)
    row = other.row("cut streams", count, f"{begun} begun")
    more = len(os.listdir(f"/proc/{served.process.pid}/fd")) - files
    row.left = [f"{more} descriptors"] if more > 4 else []
    return row


def kill(folder: Path, name: str) -> Row:
    """SIGKILL for one of the processes."""
    with Served(folder) as served:
        family = served.family()
        with Somebody(served.port) as other:
            time.sleep(1)
            begun = time.monotonic()
            os.kill(family[name], signal.SIGKILL)
            back = 0.0
            while name != "gyakusan" and time.monotonic() - begun < 60 and not back:
                time.sleep(0.2)
                back = time.monotonic() - begun if [s for s, _ in other.times[-2:]] == [200, 200] and other.times else 0
                back = back if time.monotonic() - begun > 2 else 0
            time.sleep(3 if name == "gyakusan" else 0.5)
        row = other.row(f"kill -9 {name}", 1, "" if name == "gyakusan" else f"answers again after {back:.0f} s")
        if name == "gyakusan":
            row.left = [word for word, pid in family.items() if word != name and Path(f"/proc/{pid}").exists()]
            row.left += [str(p) for p in folder.rglob("*.key")]
        elif not back:
            row.left = ["no answer after 60 s"]
        return row


def start_conditions(folder: Path) -> Iterator[Row]:
    """Starts on a full disk, without a folder for temporary files, with a log that takes nothing."""
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # noqa: E731
    cases: dict[str, tuple[tuple[str, ...], Callable[[], None] | None, dict[str, str]]] = {
        "disk full": (("--once",), full, {}),
        "disk full, with a log file": (("--once", "--log-file", str(folder / "log")), full, {}),
        "no temporary folder": (("--once",), None, {"TMPDIR": "/nowhere", "TEMP": "/nowhere", "TMP": "/nowhere"}),
        "--log-file /dev/full": (("--once", "--log-file", "/dev/full"), None, {}),
    }
    for name, (options, limit, variables) in cases.items():
        served = Served(folder, *options, limit=limit, **variables)
        begun = time.monotonic()
        errors = served.process.communicate(timeout=120)[1]
        last = errors.strip().splitlines()[-1][:60] if errors.strip() else ""
        row = Row(name, 1, {served.process.returncode: 1}, 0.0, f"exit {served.process.returncode}: {last}")
        row.left = ["a traceback"] if "Traceback" in errors else []
        row.slowest = 0.0 if time.monotonic() - begun < 60 else 60.0
        yield row


def attacks(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    with Served(folder) as served:
        with Somebody(served.port) as other:
            time.sleep(3)
        yield other.row("nothing", 0)
        yield half_open(served, arguments.half_open)
        yield from hostile_bodies(served)
        yield cut(served, arguments.streams)
        yield many(served, arguments.requests)
    for name in ("server", "guard", "gyakusan"):
        yield kill(folder, name)
    yield from start_conditions(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--half-open", type=int, default=300)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as name:
        for row in attacks(arguments, Path(name)):
            held = held and row.held
            if arguments.json:
                print(json.dumps({**vars(row), "held": row.held}), flush=True)
                continue
            answers = " ".join(f"{n} x {status}" for status, n in sorted(row.answers.items()))
            left = ", ".join(row.left) or "nothing"
            print(f"{'held' if row.held else 'BROKE':5} {row.attack:30} {row.tried:6,}  slowest {row.slowest:5.2f} s  "
                  f"{answers:24} left: {left}  {row.refused}", flush=True)  # fmt: skip
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
