"""What a worker may be called: nothing that ssh takes as an option, or a shell as a command."""

from __future__ import annotations

import pytest

from gyakusan.errors import BadSetting
from gyakusan.serving.worker_places import WorkerPlace, check_reach, parse


def test_addresses_and_computers() -> None:
    assert parse("127.0.0.1:50060, localhost,ssh:me@box,ssh:10.0.0.2:50070", 50052, 16) == (
        WorkerPlace("127.0.0.1", 50060),
        WorkerPlace("localhost", 50052),
        WorkerPlace("me@box", 0, ssh=True),
        WorkerPlace("10.0.0.2", 50070, ssh=True),
    )
    assert [str(p) for p in parse("a:1,ssh:b,ssh:c@d:2", 1, 16)] == ["a:1", "ssh:b", "ssh:c@d:2"]


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "ssh:", "ssh:-oProxyCommand=id", "ssh:me@-oProxyCommand=id", "ssh:-me@box", "ssh:box;id", "ssh:$(id)",
        "ssh:`id`", "ssh:a b", "ssh:a\nb", "ssh:a'b", "ssh:box:0", "ssh:box:70000", "ssh:box:x", "-x:1", "a|b:1", "a:0",
        "a:99999999", "[::1]:50052", "http://a:1", "ssh:me@you@box", "ssh:böx", "a:١", "ssh:" + "a" * 300,
    ],
)  # fmt: skip
def test_what_is_no_worker(text: str) -> None:
    with pytest.raises(BadSetting):
        parse(text, 50052, 16)


def test_each_is_named_once() -> None:
    with pytest.raises(BadSetting, match="twice"):
        parse("127.0.0.1,127.0.0.1:50052", 50052, 16)
    with pytest.raises(BadSetting, match="twice"):
        parse("127.0.0.1:50052,localhost:50052", 50052, 16)
    with pytest.raises(BadSetting, match="too many"):
        parse(",".join(f"ssh:box{n}" for n in range(17)), 50052, 16)


def test_beyond_loopback_only_on_purpose() -> None:
    check_reach(["127.0.0.1:1", "localhost:2", "127.9.9.9:3"], unprotected=False)
    for address in ("192.168.1.5:50052", "box:50052", "0.0.0.0:50052", "127.0.0.1.example.org:1"):
        with pytest.raises(BadSetting, match="no password and no encryption") as refused:
            check_reach([address], unprotected=False)
        assert "--rpc-unprotected" in str(refused.value)
        check_reach([address], unprotected=True)
