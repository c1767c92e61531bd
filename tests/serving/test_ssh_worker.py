"""A worker behind a fake ssh, and behind a real sshd on loopback where one is installed."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import fake_workers

from gyakusan.engines.llamacpp import server
from gyakusan.errors import ServerError
from gyakusan.serving import access, ssh_worker
from gyakusan.serving.ssh_worker import SshWorker
from gyakusan.serving.worker_places import WorkerPlace
from gyakusan.units import GIB

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
MODULE = server.workers()
PLACE = WorkerPlace("me@box", 0, ssh=True)


def quiet(_message: object) -> None:
    """Tell nobody."""


def gone(text: str, seconds: float = 15.0) -> bool:
    """True as soon as no process has a text in its command."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not fake_workers.processes(text):
            return True
        time.sleep(0.05)
    return False


def wait_for(port: int) -> None:
    """Return as soon as somebody listens on a port of loopback."""
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.05)


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshWorker]:
    fake_workers.installed(tmp_path / "bin", monkeypatch)
    monkeypatch.setenv("FAKE_SSH_LOG", str(tmp_path / "arguments"))
    made = SshWorker(PLACE, MODULE)
    yield made
    made.stop()


def remote(made: SshWorker) -> str:
    """What the command of the worker has, as no other."""
    return f"--port {made.argv[-1].partition('--port ')[2].partition(' ')[0]}"


def test_it_is_started_asked_and_ended(worker: SshWorker, tmp_path: Path) -> None:
    told: list[str] = []
    (device,) = worker.start(lambda message: told.append(str(message)))
    assert device.usable == 6 * GIB
    assert set(told) == {"Starting a worker on me@box."}
    assert worker.alive
    worker.check()
    assert fake_workers.processes(remote(worker))
    assert worker.address.startswith("127.0.0.1:")
    worker.stop()
    assert gone(remote(worker))
    said = (tmp_path / "arguments").read_text()
    for option in ("BatchMode=yes", "ExitOnForwardFailure=yes", "'--', 'me@box'"):
        assert option in said


def test_nothing_is_left_of_a_command_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who started it is gone without a word: the guard ends ssh, and the worker ends with its input."""
    fake_workers.installed(tmp_path / "bin", monkeypatch)
    code = (
        "import time; from gyakusan.engines.llamacpp import server; from gyakusan.serving.ssh_worker import SshWorker;"
        "from gyakusan.serving.worker_places import WorkerPlace;"
        "w = SshWorker(WorkerPlace('me@box', 0, ssh=True), server.workers()); w.start(lambda m: None);"
        "print(w.argv[-1], flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        text = "--port " + owner.stdout.readline().decode().partition("--port ")[2].partition(" ")[0]
        assert fake_workers.processes(text)
        owner.send_signal(signal.SIGKILL)
        owner.wait(20)
    assert gone(text)


def test_a_worker_that_dies_is_noticed_and_started_again(worker: SshWorker) -> None:
    worker.start(quiet)
    address, before = worker.address, remote(worker)
    (pid,) = fake_workers.processes("fake_rpc_worker.py --host 127.0.0.1 " + remote(worker))
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 15
    while worker.alive and time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(ServerError, match="The worker on me@box has ended"):
        worker.check()
    worker.start_again(quiet)
    assert worker.address == address
    assert remote(worker) != before, "after a lost connection the old worker may still hold its port"
    worker.check()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("me@box: Permission denied (publickey).", "ssh-copy-id me@box"),
        ("Host key verification failed.", "Connect once by hand"),
        ("ssh: Could not resolve hostname box: Name or service not known", "No computer is called me@box."),
        ("ssh: connect to host box port 22: Connection refused", "cannot be reached by ssh"),
        ("open failed: administratively prohibited: open failed", "forwards no ports"),
        ("Something else", "Its last line: Something else"),
    ],
)
def test_why_there_is_no_worker(worker: SshWorker, monkeypatch: pytest.MonkeyPatch, says: str, told: str) -> None:
    monkeypatch.setenv("FAKE_SSH_SAYS", says)
    with pytest.raises(ServerError, match=told):
        worker.start(quiet)
    assert not worker.alive


def test_a_refused_forwarding_is_told_while_ssh_stays(worker: SshWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is that of OpenSSH 9.6, whose session goes on."""
    monkeypatch.setenv("FAKE_SSH_SAYS", "channel 2: open failed: administratively prohibited: open failed")
    monkeypatch.setenv("FAKE_SSH_STAYS", "1")
    monkeypatch.setattr(ssh_worker, "PATIENCE", 8.0)
    with pytest.raises(ServerError, match="forwards no ports"):
        worker.start(quiet)
    assert not worker.alive


def test_a_worker_of_somebody_else_is_not_taken_for_ours(worker: SshWorker) -> None:
    port = access.free_port("127.0.0.1")
    fake = [sys.executable, str(Path(fake_workers.__file__).with_name("fake_rpc_worker.py"))]
    with subprocess.Popen([*fake, "--host", "127.0.0.1", "--port", str(port)]) as stranger:
        try:
            wait_for(port)
            with pytest.raises(ServerError, match=f"Port {port} of me@box is taken"):
                SshWorker(WorkerPlace("me@box", port, ssh=True), MODULE).start(quiet)
        finally:
            stranger.kill()


def test_a_port_there_that_is_named_and_free(worker: SshWorker) -> None:
    port = access.free_port("127.0.0.1")
    named = SshWorker(WorkerPlace("me@box", port, ssh=True), MODULE)
    try:
        assert len(named.start(quiet)) == 1
        named.start_again(quiet)
        assert remote(named) == f"--port {port}"
    finally:
        named.stop()


def test_a_computer_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("ggml-rpc-server", path="/usr/local/bin:/usr/bin:/bin"):
        pytest.skip("this computer has the program")
    folder = fake_workers.installed(tmp_path / "bin", monkeypatch, worker=False)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    with pytest.raises(ServerError, match=r"me@box has no ggml-rpc-server\. Build llama\.cpp there"):
        SshWorker(PLACE, MODULE).start(quiet)


def test_a_port_there_that_is_taken(worker: SshWorker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        named = SshWorker(WorkerPlace("me@box", port, ssh=True), MODULE)
        with pytest.raises(ServerError, match=f"Port {port} of me@box is taken"):
            named.start(quiet)


def test_another_port_is_tried_where_ours_is_taken(worker: SshWorker) -> None:
    with socket.create_server(("127.0.0.1", int(worker.address.rpartition(":")[2]))):
        first = worker.address
        worker.start(quiet)
        assert worker.address != first


def test_no_ssh(worker: SshWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="This computer has no ssh"):
        worker.start(quiet)


SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real sshd on loopback with a key for this test alone; `ssh` on PATH is the real one with a file of ours."""
    ssh, keygen = shutil.which("ssh"), shutil.which("ssh-keygen")
    if SSHD is None or ssh is None or keygen is None:
        pytest.skip("no sshd here: apt-get install openssh-server")
    if os.getuid() == 0:
        try:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as its own unit makes it
        except OSError:
            pytest.skip("sshd needs /run/sshd")
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    port = access.free_port("127.0.0.1")
    allowed = tmp_path / "authorized_keys"
    allowed.write_text(f'environment="PATH={tmp_path}/bin:{os.environ["PATH"]}" ' + (tmp_path / "user.pub").read_text())
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": tmp_path / "host", "AuthorizedKeysFile": allowed,
        "PidFile": "none", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password", "PermitUserEnvironment": "yes",
    }  # fmt: skip
    (tmp_path / "sshd_config").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "config").write_text(
        f"Host box\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n IdentityFile {tmp_path}/user\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {tmp_path}/known\n"
    )
    fake_workers.installed(tmp_path / "bin", monkeypatch)
    (tmp_path / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {tmp_path}/config "$@"\n')
    with (tmp_path / "sshd.log").open("w") as log:
        started = subprocess.Popen([SSHD, "-D", "-e", "-f", str(tmp_path / "sshd_config")], stderr=log)
    end = time.monotonic() + 20
    while time.monotonic() < end and "listening" not in (tmp_path / "sshd.log").read_text():
        time.sleep(0.05)
    yield tmp_path
    started.kill()
    started.wait(20)


def test_a_real_ssh_server(sshd: Path) -> None:
    made = SshWorker(WorkerPlace("box", 0, ssh=True), MODULE)
    try:
        (device,) = made.start(quiet)
    except ServerError:
        print((sshd / "sshd.log").read_text())
        raise
    assert device.usable == 6 * GIB
    text = remote(made)
    made.stop()
    assert gone(text)
    made.start_again(quiet)
    text = remote(made)
    (pid,) = fake_workers.processes("fake_rpc_worker.py --host 127.0.0.1 " + text)
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 15
    while made.alive and time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(ServerError, match="The worker on box has ended"):
        made.check()
    made.stop()
    assert gone(text)


def test_a_real_ssh_server_without_a_key(sshd: Path) -> None:
    (sshd / "authorized_keys").write_text("")
    with pytest.raises(ServerError, match="box refuses the login"):
        SshWorker(WorkerPlace("box", 0, ssh=True), MODULE).start(quiet)
    (sshd / "known").write_text("")
    with pytest.raises(ServerError, match="ssh does not know box yet"):
        SshWorker(WorkerPlace("box", 0, ssh=True), MODULE).start(quiet)
