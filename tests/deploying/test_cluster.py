"""Two Ray nodes in a network namespace of their own, real SmolLM2 servers: what happens under load and when one is killed.

Where Ray's proxy answers: an HTTP server stands in for it, which knows the application late, or never.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gyakusan.deploying import cluster
from gyakusan.errors import ServerError

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"


def _reason() -> str:
    """Why two nodes cannot run here, "" if they can."""
    try:
        import ray  # noqa: F401
    except ImportError:
        return "Ray is not installed (make ray)"
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "no unshare or ip here"
    allowed = subprocess.run(["unshare", "-rn", "-p", "-f", "true"], capture_output=True, timeout=30, check=False)
    return "" if allowed.returncode == 0 else "a network namespace is not allowed here"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if reason := _reason():
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("home")
    space = ["unshare", "-rn", "-p", "-f", "--mount-proc", "--kill-child"]
    command = [*space, "bash", str(HERE / "two_nodes.sh"), sys.executable, str(HERE / "ray_script.py")]
    patient = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60"}  # 5 s are few beside other tests
    state = {**os.environ, **patient, "PYTHONPATH": str(SOURCE), "XDG_STATE_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, env=state, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_every_request_of_one_two_and_three_replicas_is_answered(seen: Any) -> None:
    for count in (1, 2, 3):
        assert seen[f"running {count}"] == count
        assert set(seen[f"statuses {count}"]) == {200}


def test_throughput_is_predicted_and_measured(seen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is printed, not judged: what else runs on this computer is in what is measured."""
    rates = seen["tokens per second"]
    with capsys.disabled():
        print(
            "\ntokens/s of 4 people, predicted for the whole computer and for what other programs left of it, and measured"
        )
        print("replicas  whole (80 %)    left  for that  measured  error")
        for count, rate in rates.items():
            low, value, high = rate["predicted"]
            left, measured = rate["left"], rate["measured"]
            whole, part = f"{value:.0f} ({low:.0f}-{high:.0f})", value * left
            print(f"{count:>8}  {whole:14}  {left:4.0%}  {part:8.0f}  {measured:8.0f}  {part / measured - 1:+.0%}")
    predicted = [rate["predicted"][1] for rate in rates.values()]
    assert list(rates) == ["1", "2", "3"]
    assert all(rate["measured"] > 0 for rate in rates.values())
    assert max(predicted) < 2 * predicted[0], "they share one computer"


def test_a_killed_server_loses_only_what_it_was_answering(seen: Any) -> None:
    statuses = seen["statuses of a kill"]
    lost = [s for s in statuses if s != 200]
    assert len(statuses) == 40
    assert len(lost) <= 4, "more than the four requests that were under way"
    assert seen["after the kill"] == 2, "another replica takes its place"


def test_it_is_scaled_updated_and_deleted_and_nothing_is_left(seen: Any) -> None:
    assert seen["after scaling down"] == 2
    assert seen["after an update"] == [2, 200]
    assert seen["left"] == [0, 0]


@contextmanager
def fake_proxy(answers: list[object]) -> Iterator[int]:
    """A server that gives these answers one after another, the last again and again. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("early", [{}, [], None, "nonsense"])
def test_a_proxy_may_hear_of_an_application_late(early: object) -> None:
    """Ray says that an application is ready before every proxy knows its path."""
    with fake_proxy([early, early, {"/": "smollm2"}]) as port:
        cluster._check_port(cluster.Scale(port=port))


def test_another_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PROXY_PATIENCE", 0.5)
    with fake_proxy([{"/other": "model"}]) as port, pytest.raises(ServerError, match="does not answer on port"):
        cluster._check_port(cluster.Scale(port=port))


def test_a_cluster_that_is_gone_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed Ray leaves its address behind: `deploy status` asked it for a quarter of an hour."""
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    for address in ("auto", "127.0.0.1:1", "[::1]:1", "localhost:70000"):
        with pytest.raises(ServerError, match="No Ray cluster answers at"):
            cluster.check_listening(address)
    monkeypatch.setenv("RAY_ADDRESS", "localhost:1")
    with pytest.raises(ServerError, match="localhost:1"):
        cluster.check_listening("auto")


@pytest.mark.parametrize("address", ["auto", "ray://box:10001", "nonsense", "box:port", ":1"])
def test_another_address_is_left_to_ray(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    cluster.check_listening(address)


def test_a_cluster_that_listens_is_asked() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        cluster.check_listening(f"127.0.0.1:{server.server_port}")
