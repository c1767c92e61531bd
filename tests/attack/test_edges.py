"""Edges that users find: names without a tag, numbers of no plan, entries that lie, odd input of chat, errors in Japanese."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.attack.terminals import home
from tests.fakes.fake_chat_server import fake_chat

from gyakusan.cli import main
from gyakusan.message import say
from gyakusan.text import SYSTEM_TEXTS, tell


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home(tmp_path, monkeypatch)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("number", ["0", "00", "-1"])
def test_plans_are_numbered_from_1(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`get 0` looked for models whose name begins with 0."""
    for command in (["get", "--dry-run", "--", number], ["serve", "--dry-run", "--", number]):
        assert main(command) == 2
        assert f"No plan has the number {number}. Plans are numbered from 1." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["0", "1", "qwen3-0"])
def test_a_number_is_not_completed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", name]) == 2
    assert "matches several" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["owner/name:", "gpt-oss-20b:", "ollama:x:", "hf:a/b:", "hf:a/b@", "hf.co/a/b:", " a/b: ", ":"]
)
@pytest.mark.parametrize("command", ["inspect", "get"])
def test_an_empty_tag(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty tag counted as none."""
    assert main([command, name]) == 2
    assert f'A tag is missing after "{name.strip()}". Write ' in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ollama:", "hf:", "huggingface:"])
def test_a_prefix_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("inspect", "get"):
        assert main([command, name]) == 2
        assert "was expected, not ''" in capsys.readouterr().err


def test_a_file_may_end_so(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").rename(tmp_path / "tiny:")
    assert main(["inspect", "./tiny:"]) == 0


@pytest.mark.parametrize("tokens", ["0", "-5"])
def test_answers_have_a_token(tokens: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "http://127.0.0.1:9", "--max-tokens", tokens]) == 2
    assert f"--max-tokens cannot be {tokens}. Give 1 or more." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x80\xff", "Standard input is not UTF-8 text: byte 0 cannot be read."),
        (b" \n", "Standard input has 0 characters, and a question has 1 to 200,000."),
        (b"x" * 200_001, "Standard input has 200001 characters"),
        (b"x" * 5_000_000, "Standard input has 800001 characters"),
    ],
)
def test_what_is_no_question(
    raw: bytes, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_chat() as server:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        assert main(["chat", server.base]) == 2
        assert said in capsys.readouterr().err
        assert server.asked == []


class Typed(io.TextIOWrapper):
    """A terminal on which bytes are typed."""

    def isatty(self) -> bool:
        return True


def test_typed_bytes_that_are_no_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with fake_chat() as server:
        monkeypatch.setattr("sys.stdin", Typed(io.BytesIO(b"a\xffb\n"), encoding="utf-8"))
        assert main(["chat", server.base]) == 0
        assert server.asked[0]["messages"][-1]["content"] == "a\ufffdb"


ODD: dict[str, Any] = {"users": -1, "context": 2**62, "bytes": 1e300, "started": "0001-01-01T00:00:00Z"}


@pytest.mark.parametrize("key", ODD)
def test_entries_of_servers_that_lie(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ps` showed whatever an entry said: -1 people, 10^290 GiB, 2,025 years."""
    folder = tmp_path / ".local" / "state" / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    usual = {"url": "http://127.0.0.1:9/v1", "pid": os.getpid(), "users": 3, "context": 4096, "bytes": 2.0**30}
    usual |= {"started": "2026-11-29T00:00:00Z", "model": "m", "device": "d"}
    (folder / "a.json").write_text(json.dumps({**usual, key: ODD[key]}))
    assert main(["ps"]) == 0
    (row,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith(" a ")]
    assert row.split().count("?") == (key != "context"), "which stands in the JSON only"
    assert main(["ps", "--json"]) == 0
    (server,) = json.loads(capsys.readouterr().out)["servers"]
    assert (server["users"], server["context"], server["bytes"]) == tuple(
        0 if k == key else usual[k] for k in ("users", "context", "bytes")
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the texts are those of Linux")
def test_errors_of_the_system_in_japanese(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ENOENT", "EACCES", "ENOSPC", "EISDIR", "ENOTDIR", "EROFS", "EMFILE", "ECONNREFUSED", "EADDRINUSE")
    for name in (*names, "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNRESET", "ENAMETOOLONG", "ELOOP", "EIO"):
        text = os.strerror(getattr(errno, name))
        assert text in SYSTEM_TEXTS, name
        for told in (text, f"[Errno {getattr(errno, name)}] {text}", f"[Errno 2] {text}: '/x/y'"):
            said = tell(say("{file}: {why}.", file="x", why=told), "ja")
            assert text not in said
            assert "Errno" not in tell(say("{why}", why=told), "en")
    assert main(["chat", "http://127.0.0.1:9/v1", "--lang", "ja"]) == 3
    err = capsys.readouterr().err
    assert "接続が拒否されました" in err
    assert "refused" not in err
