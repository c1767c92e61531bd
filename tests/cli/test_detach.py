"""A real server in the background: serve --detach, ps, logs, connect, stop. Loopback only."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.documents.valid import valid

from gyakusan.cli import main
from gyakusan.serving import endpoints, running_servers
from gyakusan.serving.background import Named
from gyakusan.serving.chat import chat
from gyakusan.serving.conversation import Stream

SERVE = ("serve", "smollm2", "--cpu", "--threads", "1", "--context", "512", "--detach")
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield tmp_path / "gyakusan"
    for entry in running_servers.running():
        running_servers.stop(entry)


def test_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps"]) == 0
    out, _ = capsys.readouterr()
    assert "No server that gyakusan started runs on this computer." in out
    for command in (["stop"], ["status"], ["logs"], ["logs", "../x"], ["stop", "office"]):
        assert main(command) == 2
        assert "Start one: gyakusan serve smollm2 --detach" in capsys.readouterr().err
    for command in ("status", "stop", "logs"):
        assert main([command, "http://127.0.0.1:18765"]) == 2
        told = capsys.readouterr().err
        assert "none of them has the address http://127.0.0.1:18765" in told
        assert "What another server does: gyakusan watch http://127.0.0.1:18765" in told
    assert main(["ps", "--json"]) == 0
    assert valid(json.loads(capsys.readouterr().out))["servers"] == []
    assert main([*SERVE, "--once"]) == 2


def test_from_the_start_to_the_end(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SERVE, "--port", "0"]) == 0
    out, err = capsys.readouterr()
    assert "Starting smollm2 in the background." in err
    entry = running_servers.find_running("smollm2")
    assert f"answers 1 person at {entry.url}" in out
    assert "kv_cache  host" in out, "predicted and reported"
    assert os.getsid(entry.pid) == entry.pid != os.getsid(0)
    assert (entry.ready, entry.users, entry.context, entry.engine) == (True, 1, 512, "llama.cpp")
    assert chat(entry.url, "Hi", 1).completion_tokens == 1

    assert main(["ps"]) == 0
    out = capsys.readouterr().out
    assert "1 server runs on this computer." in out
    assert entry.url.split("/")[2] in out
    assert main(["ps", "--json"]) == 0
    told = valid(json.loads(capsys.readouterr().out))["servers"][0]
    assert (told["name"], told["pid"], told["url"]) == ("smollm2", entry.pid, entry.url)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert main(["status", "--json"]) == 0
        told = valid(json.loads(capsys.readouterr().out))["servers"][0]
        if told["live"] and told["live"]["requests"] and not told["live"]["answering"]:
            break
        time.sleep(0.2)
    assert (told["live"]["requests"], told["live"]["answering"], told["live"]["restarts"]) == (1, 0, 0)
    assert told["live"]["tokens"] > 1
    assert told["live"]["resident_bytes"] > 0, "how much stays in RAM is up to the system and its other programs"
    assert {b["kind"] for b in told["buffers"]} >= {"weights", "kv_cache"}
    assert main(["status", "smollm2"]) == 0
    out = capsys.readouterr().out
    assert "smollm2 runs for" in out
    assert "0 answered, 0 waiting" in out
    assert "1 request, 0 refused, " in out
    assert main(["status", "nobody"]) == 2
    assert "No running server is called" in capsys.readouterr().err
    assert main(["connect", "--curl"]) == 0
    assert entry.url in capsys.readouterr().out
    assert main(["serve", "smollm2", "--name", "smollm2", "--once"]) == 2
    assert "gyakusan stop smollm2" in capsys.readouterr().err

    assert main(["logs", "smollm2", "--lines", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["logs", "--lines", "100000"]) == 0
    assert "guard: server pid" in capsys.readouterr().out
    assert main(["logs", "--lines", "0"]) == 2
    assert (state / "logs" / "smollm2.log").stat().st_mode & 0o777 == 0o600

    capsys.readouterr()
    assert main(["stop", "smollm2"]) == 0
    assert re.fullmatch(r"Stopped smollm2 after .*: 1 request, \d+ tokens\.\n", capsys.readouterr().out)
    assert not list((state / "servers").iterdir())
    assert main(["logs", "smollm2", "--follow"]) == 0
    assert "all slots are idle" in capsys.readouterr().out, "the log of a server that has ended is kept"


def test_a_key_for_the_network_is_found_and_removed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)
    assert main([*SERVE, "--port", "0", "--host", "0.0.0.0", "--name", "lan", "--json"]) == 0
    told = valid(json.loads(capsys.readouterr().out))["servers"][0]
    found = endpoints.find_endpoint("lan")
    assert str(found.key_file) == told["key_file"]
    assert chat(found.url, "Hi", 1, found.key).completion_tokens == 1
    os.kill(told["pid"], signal.SIGKILL)
    end = time.monotonic() + 10
    while running_servers.running() and time.monotonic() < end:
        time.sleep(0.05)
    assert running_servers.running() == ()


def test_why_it_did_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main([*SERVE, "--port", port]) == 3
    err = capsys.readouterr().err
    assert f"gyakusan: Another program listens on port {port} of 127.0.0.1." in err
    assert "Its log: gyakusan logs smollm2" in err
    assert running_servers.running() == ()


def test_a_log_that_cannot_be_written(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.mkdir()
    (state / "logs").write_text("a file")
    assert main([*SERVE]) == 3
    assert "cannot be written" in capsys.readouterr().err
    assert main([*SERVE, "--log-file", str(state)]) == 3
    assert "Choose another file" in capsys.readouterr().err


def test_a_dry_run_names_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "smollm2", "--cpu", "--port", "0", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    port = told["command"][told["command"].index("--port") + 1]
    assert int(port) > 0
    assert f":{port}/" in told["health"]


def test_ctrl_c_ends_a_server_that_answers(state: Path) -> None:
    command = [sys.executable, "-m", "gyakusan", *SERVE[:-1], "--port", "0", "--name", "busy"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while not any(e.ready for e in running_servers.running()) and time.monotonic() < end:
            time.sleep(0.05)
        url = running_servers.find_running("busy").url
        pieces = iter(Stream(url, [{"role": "user", "content": "Write a long story."}], max_tokens=400))
        next(pieces)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert not list((state / "servers").iterdir())


def test_a_file_of_ones_own_is_never_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF\3\0\0\0")
    assert main(["serve", "smollm2", "--context", "2k", "--detach", "--port", "0", "--log-file", str(model)]) == 2
    assert "is not a log" in " ".join(capsys.readouterr().err.split())
    assert model.read_bytes() == b"GGUF\3\0\0\0"
    notes = tmp_path / "notes.txt"
    notes.write_text("mine\n")
    assert Named.of("smollm2", None, str(notes)).appends


def limited() -> None:
    """As on a full disk: no file takes a byte."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize("more", [[], ["--log-file", "mine.log"]])
def test_a_full_disk_is_said_before_it_starts(tmp_path: Path, more: list[str]) -> None:
    """It said "ended before it was ready" and no reason: even the reason could not be written."""
    command = [sys.executable, "-P", "-m", "gyakusan", *SERVE, "--port", "0", *more]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=limited, cwd=tmp_path, timeout=60,
        env={k: v for k, v in os.environ.items() if not k.startswith("COV")},  # a trace writes files, too
    )  # fmt: skip
    assert ran.returncode == 3
    (line,) = ran.stderr.splitlines()
    assert "The log file " in line
    assert f"cannot be written: {os.strerror(errno.EFBIG)}. " in line
    assert ("Choose another file" in line) == bool(more)


def test_a_folder_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert main([*SERVE, "--port", "0"]) == 3
    assert "cannot be written: Not a directory. Make room on the disk, or set XDG_STATE_HOME" in capsys.readouterr().err
