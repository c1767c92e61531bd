"""gyakusan stop: one server, or all of them side by side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gyakusan import posix
from gyakusan.cli import main
from gyakusan.serving import running_servers
from gyakusan.serving.running_servers import RunningServer

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def servers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that stand for the servers one and two."""
    found = [subprocess.Popen(SLEEPS) for _ in range(2)]
    for name, process in zip(("one", "two"), found, strict=True):
        entry = RunningServer(
            name=name, url="http://127.0.0.1:1/v1", pid=process.pid, process_start=posix.process_start(process.pid)
        )
        running_servers.claim(entry)
    yield found
    for process in found:
        process.kill()
        process.wait(10)


def test_all_are_stopped(servers: list[subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stop"]) == 2
    told = "Several servers run: one, two. Write gyakusan stop one, or gyakusan stop --all to stop all of them."
    assert told in capsys.readouterr().err
    assert main(["stop", "--all"]) == 0
    assert capsys.readouterr().out.split() == ["Stopped", "one.", "Stopped", "two."]
    assert all(process.wait(10) for process in servers)
    assert running_servers.running() == ()


def test_one_that_cannot_be_stopped_hinders_no_other(
    servers: list[subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    running_servers.claim(RunningServer(name="foreign", url="http://127.0.0.1:2/v1"))
    assert main(["stop", "--all"]) == 1
    out = capsys.readouterr().out
    assert "foreign was not started by gyakusan serve." in out
    assert "Stopped one." in out
    assert "Stopped two." in out
    assert [entry.name for entry in running_servers.running()] == ["foreign"]


def test_nothing_to_stop_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stop", "--all"]) == 0
    assert "No server that gyakusan started runs on this computer." in capsys.readouterr().out
    assert main(["stop", "one", "--all"]) == 2
    assert "Give one." in capsys.readouterr().err
