"""A server is asked for a token when it is quiet, and is stalled only if it gives none."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gyakusan import posix
from gyakusan.serving.front.upstream import Target
from gyakusan.serving.watchdog import Patience, Watchdog, one_token

TARGET = Target("http://127.0.0.1:9", "inner")
SHORT = Patience(quiet=0.1, asleep=0.2, busy=30.0)


def looked(dog: Watchdog, seconds: float, *, busy: bool = False, working: bool = False) -> bool:
    """True as soon as the server is said to be stalled."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if dog.look(time.monotonic() if working else 0.0, busy=busy):
            return True
        time.sleep(0.01)
    return False


def test_a_server_that_answers_people_is_not_asked() -> None:
    asked: list[Target] = []
    dog = Watchdog(TARGET, 1, SHORT, lambda target: bool(asked.append(target)))
    assert not looked(dog, 0.4, busy=True, working=True)
    assert asked == []


def test_a_quiet_server_that_gives_a_token_works() -> None:
    asked: list[Target] = []

    def ask(target: Target) -> bool:
        asked.append(target)
        return True

    dog = Watchdog(TARGET, 1, SHORT, ask)
    assert not looked(dog, 0.8)
    assert asked[0] == TARGET


def sleeping() -> int:
    """A process that uses no processor time: the test's own first process would."""
    return os.posix_spawn("/bin/sleep", ["sleep", "30"], os.environ)


@pytest.fixture
def asleep() -> Iterator[int]:
    child = sleeping()
    yield child
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_a_sleeping_server_that_gives_none_is_stalled(asleep: int) -> None:
    wait = threading.Event()
    dog = Watchdog(TARGET, asleep, SHORT, lambda _: wait.wait(20))
    assert looked(dog, 10)
    wait.set()


def test_people_who_wait_in_vain_tell_as_much(asleep: int) -> None:
    wait = threading.Event()
    dog = Watchdog(TARGET, asleep, Patience(quiet=60.0, asleep=0.2, busy=30.0), lambda _: wait.wait(20))
    assert looked(dog, 10, busy=True)


def test_a_server_at_work_gets_more_time() -> None:
    dog = Watchdog(TARGET, None, SHORT, lambda _: False)  # a system that does not tell counts as work
    assert not looked(dog, 1.0, busy=True)
    dog = Watchdog(TARGET, None, Patience(quiet=0.05, asleep=0.0, busy=0.3), lambda _: False)
    assert looked(dog, 10, busy=True)


def test_processor_time() -> None:
    before = posix.processor_seconds(os.getpid())
    assert before is None or before > 0
    assert posix.processor_seconds(2**22 + 5) is None


class Completion(BaseHTTPRequestHandler):
    status = 200

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        ours = self.headers["Authorization"] == "Bearer inner" and self.path == "/v1/completions"
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status if ours else 404)
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.mark.parametrize(("status", "works"), [(200, True), (501, True), (503, False)])
def test_a_real_token_is_asked_for(status: int, works: bool) -> None:
    """F5: /health said 200 while nobody got an answer."""
    kind = type("Kind", (Completion,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        assert one_token(Target(f"http://127.0.0.1:{server.server_port}", "inner"), 5.0) is works
        server.shutdown()
    assert not one_token(Target("http://127.0.0.1:9", None), 0.5)
