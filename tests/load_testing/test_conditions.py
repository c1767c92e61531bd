"""What else takes the time of this computer: neither the server that is measured, nor its children, nor the client."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from gyakusan.load_testing import conditions
from gyakusan.load_testing.conditions import OtherPrograms, busy_cores, observed_with
from gyakusan.load_testing.server_processes import listening_processes

TICKS = os.sysconf("SC_CLK_TCK")


def computer(proc: Path, seconds: float, idle: float, *programs: tuple[int, int, float, float]) -> None:
    """Write what Linux would tell: seconds of all cores [s], idle ones [s]; programs: number, parent, own and children's [s]."""
    busy = round((seconds - idle) * TICKS)
    (proc / "stat").write_text(f"cpu  {busy} 0 0 {round(idle * TICKS)} 0 0 0 0 0 0\n")
    for pid, parent, own, ended in programs:
        (proc / str(pid)).mkdir(exist_ok=True)
        fields = ["S", parent, *[0] * 9, round(own * TICKS), 0, round(ended * TICKS), 0, 20, 0, 1, 0, 777, 0]
        (proc / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(map(str, fields))}\n")


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions.os, "cpu_count", lambda: 2)


def test_server_its_children_and_client_are_no_other_programs(tmp_path: Path, two_cores: None) -> None:
    me, server, child, other = os.getpid(), 2_000_001, 2_000_002, 2_000_003
    computer(tmp_path, 100, 50, (me, 1, 5, 0), (server, 1, 1, 0), (child, server, 10, 0), (other, 1, 20, 0))
    others, all_but_me = OtherPrograms((server,), tmp_path), OtherPrograms((), tmp_path)
    assert others.cores is None  # no time has passed
    computer(tmp_path, 120, 51, (me, 1, 6, 0), (server, 1, 2, 0), (child, server, 25, 0), (other, 1, 22, 0))
    assert others.cores == pytest.approx(0.2)
    assert all_but_me.cores == pytest.approx(1.8)


def test_a_child_of_the_server_that_ended_meanwhile_was_the_servers(tmp_path: Path, two_cores: None) -> None:
    server, child = 2_000_001, 2_000_002
    computer(tmp_path, 100, 50, (server, 1, 1, 0), (child, server, 10, 0))
    others = OtherPrograms((server,), tmp_path)
    (tmp_path / str(child) / "stat").unlink()
    computer(tmp_path, 120, 52, (server, 1, 1, 28))
    assert others.cores == pytest.approx(0.0)


def test_how_busy_other_programs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_cores: None) -> None:
    computer(tmp_path, 100, 80)
    monkeypatch.setattr(conditions.time, "sleep", lambda s: computer(tmp_path, 130, 90))
    assert busy_cores(1.0, tmp_path) == pytest.approx(2 * 20 / 30)
    assert busy_cores(1.0, tmp_path) is None  # nothing moved
    assert busy_cores(1.0, tmp_path / "none") is None
    monkeypatch.setattr(conditions.time, "sleep", lambda s: None)
    (tmp_path / "stat").write_text("nothing\n")
    assert busy_cores(1.0, tmp_path) is None


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="Linux tells who listens")
def test_the_process_that_listens_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert listening_processes(port) == (os.getpid(),)
    assert listening_processes(port) == ()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="Linux tells who listens")
def test_a_server_that_works_hard_is_not_taken_for_others() -> None:
    """The server is this process: what it spends is left out, whatever else this computer does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        state = observed_with(listening.getsockname()[1])
        every = OtherPrograms(())
        every._ours = ()  # the fault that was: nobody is left out
        worker = threading.Thread(target=lambda: [sum(range(10**6)) for _ in range(30)])
        worker.start()
        worker.join()
        found, all_of_them = state().other_load, every.cores
    assert found is not None
    assert all_of_them is not None
    assert found < all_of_them


def test_a_table_that_cannot_be_read_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("head\n 0: 0100007F:1F90 0 0A 0 0 0 0 0 4711\nshort\n")
    assert listening_processes(8080, tmp_path) == ()
    (tmp_path / "12" / "fd").mkdir(parents=True)
    (tmp_path / "12" / "fd" / "3").symlink_to("socket:[4711]")
    (tmp_path / "13").mkdir()
    assert listening_processes(8080, tmp_path) == (12,)
    assert listening_processes(8080, tmp_path / "none") == ()
