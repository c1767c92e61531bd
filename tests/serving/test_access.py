"""Nobody but this computer gets in without a key, and the key is ours alone."""

import os
import socket
import stat
from pathlib import Path

import pytest

from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving import access
from gyakusan.serving.access import check_access, check_address, free_port, grant_access, is_loopback

KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("LocalHost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_strangers_need_a_key(host: str) -> None:
    with pytest.raises(BadSetting, match="reachable from other computers"):
        check_access(host, 8080, None)
    check_access(host, 8080, KEY)


@pytest.mark.parametrize("key", ["", "short", "has spaces in its middle", "a,b" * 8, "k" * 257, "ключ" * 8, KEY + "\n"])
def test_unusable_keys(key: str) -> None:
    with pytest.raises(BadSetting, match="API key") as caught:
        check_access("127.0.0.1", 0, key)
    assert key == "" or key not in str(caught.value)


@pytest.mark.parametrize("host", ["", "a b", "1.2.3.4,0.0.0.0", "/tmp/x.sock", "--help", "x" * 300, "a\nb"])
def test_unusable_hosts(host: str) -> None:
    with pytest.raises(BadSetting, match="not a host name"):
        check_access(host, 0, KEY)


@pytest.mark.parametrize("port", [-1, 65536])
def test_unusable_ports(port: int) -> None:
    with pytest.raises(BadSetting, match="not a port"):
        check_access("127.0.0.1", port, None)


def test_loopback_has_no_key_unless_given() -> None:
    assert grant_access("127.0.0.1", 0, None).key is None
    assert grant_access("127.0.0.1", 0, KEY).key == KEY
    assert grant_access("127.0.0.1", 0, KEY).path is None


def test_a_made_key_is_written_for_this_user_alone() -> None:
    access = grant_access("192.0.2.1", 8080, None)
    other = grant_access("192.0.2.1", 8080, None)
    try:
        assert access.path is not None
        assert access.key is not None
        assert len(access.key) >= 40
        assert access.key != other.key
        assert access.path.read_text() == access.key + "\n"
        assert stat.S_IMODE(access.path.stat().st_mode) == 0o600
        assert access.key not in repr(access)
    finally:
        access.remove_key_file()
        other.remove_key_file()
    assert not access.path.exists()
    access.remove_key_file()


def test_nothing_is_written_for_a_refused_host(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyakusan.serving.access._write", lambda key: pytest.fail("written"))
    with pytest.raises(BadSetting):
        grant_access("a b", 0, None)


def test_a_free_port_is_free() -> None:
    port = free_port("127.0.0.1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_an_address_of_another_computer() -> None:
    with pytest.raises(BadSetting, match=r"cannot listen on 192\.0\.2\.1"):
        free_port("192.0.2.1")


@pytest.mark.parametrize(
    ("host", "port", "threads"), [("a b", 8080, None), ("::1", 99999, 4), ("::1", -1, 4), ("::1", 0, 0)]
)
def test_an_address_that_no_server_has(host: str, port: int, threads: int | None) -> None:
    check_address("0.0.0.0", 8080, 1)
    with pytest.raises(BadSetting):
        check_address(host, port, threads)


def test_keys_of_processes_that_are_gone_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "gyakusan" / "keys"
    folder.mkdir(parents=True)
    for name in ("gyakusan-4194301-abc.key", f"gyakusan-{os.getpid()}-abc.key", "gyakusan-mine.key", "other.key"):
        (folder / name).write_text("x")
    access = grant_access("192.0.2.1", 8080, None)
    try:
        left = {file.name for file in folder.iterdir()} - {access.path.name if access.path else ""}
        assert left == {f"gyakusan-{os.getpid()}-abc.key", "gyakusan-mine.key", "other.key"}
    finally:
        access.remove_key_file()


def test_no_folder_takes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(ServerError, match=r"cannot be written.*--key-file"):
        grant_access("192.0.2.1", 8080, None)


def test_what_other_computers_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access.seen_from_outside("127.0.0.1") is None
    assert access.seen_from_outside("localhost") is None
    assert access.seen_from_outside("192.0.2.7") == "192.0.2.7"
    assert access.seen_from_outside("llm.example.org") == "llm.example.org"
    found = access.seen_from_outside("0.0.0.0")
    assert found is None or not access.is_loopback(found)

    def offline(*_: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(access.socket.socket, "connect", offline)
    assert access.seen_from_outside("0.0.0.0") is None
