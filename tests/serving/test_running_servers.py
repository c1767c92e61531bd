"""Entries of running servers: private, of a process that runs, and nobody else's process is ever ended."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import posix
from gyakusan.errors import BadReference, BadSetting, ServerError
from gyakusan.serving import running_servers
from gyakusan.serving.running_servers import RunningServer
from gyakusan.text import tell

ENTRY = RunningServer(name="office", url="http://127.0.0.1:1/v1", model="m", users=2, context=512, ready=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "gyakusan" / "servers"


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this user."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def of(process: subprocess.Popen[bytes]) -> RunningServer:
    return structs.replace(ENTRY, pid=process.pid, process_start=posix.process_start(process.pid))


def test_an_entry_is_private_and_ends_with_its_owner(folder: Path) -> None:
    mine = running_servers.here(ENTRY)
    running_servers.claim(mine)
    path = folder / "office.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [p.name for p in folder.iterdir()] == ["office.json"]
    assert running_servers.running() == (mine,)
    running_servers.update(structs.replace(mine, ready=True))
    assert running_servers.find_running(None).ready
    running_servers.remove(structs.replace(mine, process_start="another"))
    assert path.exists()
    running_servers.remove(mine)
    assert not path.exists()


def test_entries_of_processes_that_are_gone_are_removed(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    entry = structs.replace(of(ended), process_start="1")
    ended.wait()
    running_servers.claim(running_servers.here(ENTRY))
    path = folder / "office.json"
    for gone in (entry, structs.replace(running_servers.here(ENTRY), process_start="when this number was another's")):
        running_servers.update(gone)
        assert running_servers.running() == ()
        assert not path.exists()


def test_nobody_elses_process_is_ended(other: subprocess.Popen[bytes]) -> None:
    entry = structs.replace(of(other), process_start="when this number was another's")
    with pytest.raises(ServerError, match="has ended already"):
        running_servers.stop(entry)
    with pytest.raises(ServerError, match="was not started by gyakusan serve"):
        running_servers.stop(structs.replace(ENTRY, pid=other.pid))
    assert not posix.ask_to_end(other.pid, "")
    time.sleep(0.1)
    assert other.poll() is None


def test_its_own_process_is_ended(other: subprocess.Popen[bytes]) -> None:
    entry = of(other)
    running_servers.claim(entry)
    assert running_servers.stop(entry) < 10
    assert other.wait(1) == -15
    assert running_servers.running() == ()
    with pytest.raises(ServerError, match="has ended already"):
        running_servers.stop(entry)


def test_a_process_that_does_not_end_is_named() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        with pytest.raises(ServerError, match=rf"has not ended after 0\.2 s\. End it at once: kill -9 {stubborn.pid}"):
            running_servers.stop(of(stubborn), 0.2)
        stubborn.kill()


def test_a_start_is_told_by_ps_too(other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    assert posix.process_start(other.pid) == posix.process_start(other.pid) != posix.process_start(os.getpid())
    if not Path("/bin/ps").exists():
        pytest.skip("needs ps")
    monkeypatch.setattr(posix, "head", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))
    monkeypatch.setattr(os.path, "isdir", lambda _: False)
    told = posix.process_start(other.pid)
    assert len(told.split()) == 5
    assert told == posix.process_start(other.pid)
    other.kill()
    other.wait()
    assert posix.process_start(other.pid) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"url": 1}',
        '{"url": "a\\u001b[2J"}',
        '{"url": "x", "pid": -1}',
        '{"url": "x", "pid": 0, "process_start": "12"}',
        '{"url": "x", "users": "2"}',
        "[" * 9999,
    ],
)
def test_what_is_no_entry_is_left_out(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text(text)
    (folder / "a b.json").write_text('{"url": "http://127.0.0.1:1/v1"}')
    (folder / "good.json").write_text(json.dumps({"url": "http://127.0.0.1:1/v1", "name": "../other"}))
    assert [e.name for e in running_servers.running()] == ["good"]


def test_names() -> None:
    running_servers.claim(running_servers.here(ENTRY))
    assert running_servers.free_name("Office") == "office-2"
    assert running_servers.free_name("a b/c") == "a-b-c"
    assert running_servers.free_name("../..") == "server"
    with pytest.raises(BadSetting, match=r'A server called "office" runs already: http:.*Give another --name'):
        running_servers.claim(running_servers.here(ENTRY))
    for bad in ("", "a b", "../x", ".hidden", "x" * 65, "a/b"):
        with pytest.raises(BadSetting, match="cannot name a server"):
            running_servers.check_name(bad)


def test_a_server_is_found_by_its_address_too() -> None:
    running_servers.claim(running_servers.here(ENTRY))
    for text in (ENTRY.name, ENTRY.url, ENTRY.url.removesuffix("/v1")):
        assert running_servers.find_running(text).name == ENTRY.name


def test_names_in_japanese_marks_and_on_command_lines() -> None:
    """A name is quoted in a sentence; in a command it stands as it is, for a name has nothing that a shell reads."""
    entry = structs.replace(ENTRY, name="社内サーバー")
    running_servers.claim(running_servers.here(entry))
    with pytest.raises(BadSetting) as taken:
        running_servers.check_name(entry.name)
    told, mend = tell(taken.value.message, "ja"), tell(taken.value.mend or "", "ja")
    assert told.startswith("「社内サーバー」というサーバーが")
    (command,) = re.findall(r"gyakusan stop \S+$", mend)
    assert shlex.split(command) == ["gyakusan", "stop", entry.name]
    for name in ("a b", "営業部\u3000A", "$(id)", "a;b", "'"):
        with pytest.raises(BadSetting) as bad:
            running_servers.check_name(name)
        assert f"「{name}」は" in tell(bad.value.message, "ja")
        with pytest.raises(BadReference) as missing:
            running_servers.find_running(name)
        assert f"「{name}」という" in tell(missing.value.message, "ja")


def test_which_one_is_meant() -> None:
    with pytest.raises(BadReference, match=r"runs on this computer\. Start one: gyakusan serve smollm2 --detach"):
        running_servers.find_running("office")
    running_servers.claim(running_servers.here(ENTRY))
    with pytest.raises(BadReference, match=r'No running server is called "ofice"\. These run: office\.'):
        running_servers.find_running("ofice")
    running_servers.claim(running_servers.here(structs.replace(ENTRY, name="two")))
    assert running_servers.find_running("two").name == "two"
    with pytest.raises(BadReference, match="Several servers run: office, two"):
        running_servers.find_running(None)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "gyakusan").write_text("a file")
    with pytest.raises(ServerError, match=r"cannot be written.*XDG_STATE_HOME"):
        running_servers.claim(running_servers.here(ENTRY))


def test_a_file_that_cannot_be_read_does_not_keep_a_name(folder: Path, other: subprocess.Popen[bytes]) -> None:
    running_servers.claim(of(other))
    path = folder / f"{of(other).name}.json"
    running_servers.remove(of(other))
    path.write_text('{"url"')
    running_servers.claim(of(other))
    assert [e.name for e in running_servers.running()] == [of(other).name]


def test_a_name_that_is_taken_says_where_its_server_is() -> None:
    mine = running_servers.here(structs.replace(ENTRY, name="office", url="http://127.0.0.1:8080/v1"))
    running_servers.claim(mine)
    with pytest.raises(BadSetting, match=r'"office" runs already: http://127\.0\.0\.1:8080/v1') as caught:
        running_servers.check_name("office")
    assert "gyakusan chat office" in str(caught.value)
    running_servers.remove(mine)
