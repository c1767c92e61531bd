"""Whose program holds the other end of a connection: only this user's, and only of this computer."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gyakusan.web import peer
from gyakusan.web.peer import is_mine


@pytest.mark.skipif(not peer.TABLES[0].exists(), reason="needs /proc")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_of_this_user(family: int, address: str) -> None:
    with socket.socket(family) as listening:
        try:
            listening.bind((address, 0))
        except OSError:
            pytest.skip("no such address here")
        listening.listen()
        with socket.create_connection(listening.getsockname()[:2]):
            taken, client = listening.accept()
            taken.close()
            assert is_mine((client[0], client[1]))
            assert not is_mine((client[0], 1)), "nobody's"


@pytest.mark.parametrize("client", [None, ("testclient", 1), ("192.0.2.1", 1), ("::ffff:192.0.2.1", 1)])
def test_another_computer(client: tuple[str, int] | None) -> None:
    assert not is_mine(client)


def test_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "tcp"
    line = "  0: 0100007F:C350 0100007F:2136 01 00000000:00000000 00:00000000 00000000 {user} 0 1\n"
    monkeypatch.setattr(peer, "TABLES", (table,))
    for user, mine in ((os.getuid(), True), (os.getuid() + 1, False), ("x", False)):
        table.write_text("head\nshort\n" + line.format(user=user))
        assert is_mine(("127.0.0.1", 50000)) is mine
    table.write_text("head\n" + line.format(user=os.getuid()) + line.format(user=os.getuid() + 1))
    assert not is_mine(("127.0.0.1", 50000)), "it cannot be told whose"
    table.write_text("head\n" + line.format(user=0))
    assert is_mine(("127.0.0.1", 50000), root=True), "the administrator's may read"
    assert is_mine(("127.0.0.1", 50000)) is (os.getuid() == 0)
    table.write_text("head\n" + line.format(user=os.getuid() + 1))
    assert not is_mine(("127.0.0.1", 50000), root=True)


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "TABLES", (Path("/nosuch"),))
    assert is_mine(("127.0.0.1", 50000))
    assert not is_mine(("192.0.2.1", 50000))
