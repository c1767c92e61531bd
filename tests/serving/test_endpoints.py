"""A server is named by its address, by its name, or is the only one that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes.fake_chat_server import fake_chat

from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadReference, BadSetting
from gyakusan.python.served import entry_at
from gyakusan.serving.endpoints import find_endpoint
from gyakusan.serving.running_servers import find_running
from gyakusan.serving.snippets import key_command, snippets


@pytest.fixture(autouse=True)
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)
    folder = tmp_path / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    return folder


def test_an_address_gets_v1() -> None:
    assert find_endpoint("http://box:8080").url == "http://box:8080/v1"
    assert find_endpoint("http://box:8080/v1/").url == "http://box:8080/v1"
    assert find_endpoint("https://box/api").url == "https://box/api"


def test_a_name_and_its_key(servers: Path, tmp_path: Path) -> None:
    (tmp_path / "office.key").write_text("s3cret-s3cret-s3cret\n")
    told = {"url": "http://127.0.0.1:1/v1", "key_file": str(tmp_path / "office.key")}
    (servers / "office.json").write_text(json.dumps(told))
    (servers / "broken.json").write_text("{")
    found = find_endpoint("office")
    assert (found.name, found.url, found.key) == ("office", "http://127.0.0.1:1/v1", "s3cret-s3cret-s3cret")
    assert "s3cret" not in repr(found)
    with pytest.raises(BadReference, match=r'No server is called "offices"\. Name one that runs \(office\)'):
        find_endpoint("offices")
    with pytest.raises(BadReference, match="does not exist"):
        find_endpoint("office", str(tmp_path / "none"))


def test_the_only_one_that_runs(servers: Path) -> None:
    with pytest.raises(
        BadReference, match=r"No server that gyakusan started runs on this computer.*or name an address"
    ):
        find_endpoint(None)
    with fake_chat(key="k" * 16) as one, fake_chat() as two:
        (servers / "dead.json").write_text(json.dumps({"url": "http://127.0.0.1:1/v1"}))
        (servers / "one.json").write_text(json.dumps({"url": one.base}))
        assert find_endpoint(None).name == "one"
        (servers / "two.json").write_text(json.dumps({"url": two.base}))
        with pytest.raises(BadReference, match="Several servers run: one, two"):
            find_endpoint(None)


def test_a_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKUSAN_API_KEY", "from-the-environment")
    assert find_endpoint("http://box:1").key == "from-the-environment"


def test_a_stranger_on_a_usual_port_is_never_meant(servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user of this computer may listen there: connect and chat went over to it, bench said that no server runs."""
    monkeypatch.setenv("GYAKUSAN_API_KEY", "from-the-environment")
    with fake_chat() as stranger:
        port = int(stranger.base.split(":")[2].split("/")[0])
        for name in NAMES:
            monkeypatch.setattr(engine(name), "PORT", port)
        for ask in (lambda: find_endpoint(None), lambda: find_running(None), lambda: entry_at(None)):
            with pytest.raises(BadReference, match="No server that gyakusan started runs on this computer"):
                ask()
        assert find_endpoint(stranger.base).key == "from-the-environment"


def test_where_people_have_keys_the_owners_file_is_in_no_text(servers: Path, tmp_path: Path) -> None:
    (tmp_path / "owner.key").write_text("s3cret-s3cret-s3cret\n")
    told = {"url": "http://127.0.0.1:1/v1", "key_file": str(tmp_path / "owner.key"), "people_keys": True}
    (servers / "office.json").write_text(json.dumps(told))
    found = find_endpoint("office")
    assert (found.key, found.read_file) == ("s3cret-s3cret-s3cret", None)
    texts = snippets(found, "m")
    assert not [s.program for s in texts if "owner.key" in s.text or "owner.key" in key_command(found, s.key)]
    assert '"Authorization: Bearer $GYAKUSAN_API_KEY"' in texts[0].text
    assert find_endpoint("office", str(tmp_path / "owner.key")).read_file is not None, "who names a file has a key"


@pytest.mark.parametrize(
    "url", ["http://[::1", "ftp://a/b", "http://", "http://a:99999", "http://a:x", "http://a b", "http://a\n:1"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(BadSetting, match="is not the address of a server"):
        find_endpoint(url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(BadSetting, match="read by everybody") as error:
        find_endpoint("http://me:s3cret@127.0.0.1:1/v1")
    assert "s3cret" not in str(error.value)


def test_no_name_is_offered_where_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(BadReference, match=r'No server is called "nosuch": none that gyakusan started .* Start one:'):
        find_endpoint("nosuch")
