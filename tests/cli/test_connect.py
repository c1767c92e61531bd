"""gyakusan connect, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_chat_server import fake_chat

from gyakusan.cli import main


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)


def test_texts_for_all_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_chat() as server:
        assert main(["connect", server.base]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"Programs reach it at {server.base}.")
        assert [
            t for t in ("curl -sS", "OpenAI(base_url", "new OpenAI", "uvx", "schema: v1", "Model ID") if t not in out
        ] == []
        assert main(["connect", server.base, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        valid(found)
        assert [s["program"] for s in found["snippets"]][:2] == ["curl", "openai-python"]


def test_one_text_alone_need_not_have_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "--url", "http://127.0.0.1:1", "--curl", "--model", "m"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("curl -sS http://127.0.0.1:1/v1/chat/completions ")
    assert line.count("\n") == 1
    assert main(["connect", "x", "--url", "http://127.0.0.1:1"]) == 2


def test_other_computers_have_files_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    key = tmp_path / "owner.key"
    key.write_text("k" * 16)
    lan = "http://192.0.2.7:8080/v1"
    with fake_chat(key="k" * 16) as server:
        for lan_url in (lan, ""):
            told = {"url": server.base, "lan_url": lan_url, "key_file": str(key)}
            (folder / "office.json").write_text(json.dumps(told))
            assert main(["connect", "office"]) == 0
            out = capsys.readouterr().out
            assert (f"Other computers reach it at {lan}" in out) == bool(lan_url)
            lines = [line for line in out.splitlines() if line.strip().startswith("curl") and lan in line]
            assert len(lines) == bool(lan_url)
            assert all('"Authorization: Bearer $(cat YOUR-KEY-FILE)"' in line for line in lines)
            assert all(str(key) not in line for line in lines)


def test_an_address_without_a_key_says_which_option_gives_it(capsys: pytest.CaptureFixture[str]) -> None:
    note = "If the server asks for one, add --key-file FILE."
    for url, said in (("http://192.0.2.7:8080", True), ("http://127.0.0.1:1", False)):
        assert main(["connect", "--url", url, "--model", "m"]) == 0
        assert (note in capsys.readouterr().out) is said
    with fake_chat(key="k" * 16) as server:
        for words in ([server.base], ["--url", server.base]):
            assert main(["connect", *words]) == 3
            assert "--key-file FILE" in capsys.readouterr().err


def test_an_address_of_this_computer_says_that_others_do_not_reach_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = "This address is for programs on this computer only."
    for url, said in (
        ("http://127.0.0.1:8099", True),
        ("http://localhost:8099/v1", True),
        ("http://192.0.2.7:1", False),
    ):
        assert main(["connect", "--url", url, "--model", "m"]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert (note in out) is said
        assert ("ssh -NL 8099:127.0.0.1:8099 USER@THIS-COMPUTER" in out) is said
        assert main(["connect", "--url", url, "--model", "m", "--curl"]) == 0
        assert (note in capsys.readouterr().err) is said
    folder = tmp_path / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    with fake_chat() as server:
        (folder / "office.json").write_text(json.dumps({"url": server.base, "lan_url": "http://192.0.2.7:8080/v1"}))
        assert main(["connect", "office"]) == 0
        assert note not in " ".join(capsys.readouterr().out.split())


def test_a_person_with_a_key_reads_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    key = tmp_path / "owner.key"
    key.write_text("k" * 16)
    with fake_chat(key="k" * 16) as server:
        told = {"url": server.base, "lan_url": "http://192.0.2.7:1/v1", "key_file": str(key), "people_keys": True}
        (folder / "office.json").write_text(json.dumps(told))
        assert main(["connect", "office", "--curl"]) == 0
        assert str(key) not in capsys.readouterr().out
        assert main(["connect", "office"]) == 0
        out = capsys.readouterr().out
        assert out.count(str(key)) == 1, "where the owner finds the owner's key"
        assert "export GYAKUSAN_API_KEY=YOUR-KEY" in out
        assert "YOUR-KEY-FILE" not in out
    assert main(["keys", "add", "aiko"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "aiko types it once in a shell, as export GYAKUSAN_API_KEY=KEY" in out
    assert "gyakusan connect" in out
