"""gyakusan keys: make, list and revoke the keys of people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.documents.valid import valid

from gyakusan.cli import main
from gyakusan.serving.front import people
from gyakusan.serving.front.keys import hashed


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_from_the_first_key_to_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    assert "Nobody has a key" in capsys.readouterr().out
    assert main(["keys", "add", "aiko", "--tokens", "10k", "--requests", "30", "--until", "2999-12-31"]) == 0
    key = capsys.readouterr().out.splitlines()[2].strip()
    (aiko,) = people.read(people.place())
    assert (aiko.hash, aiko.tokens, aiko.requests, str(aiko.until)) == (hashed(key), 10_000, 30, "2999-12-31")
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert "2999-12-31" in listed
    assert key not in listed
    assert main(["keys", "revoke", "aiko"]) == 0
    assert "The key of aiko is not valid any more" in capsys.readouterr().out
    assert main(["keys", "revoke", "aiko"]) == 2
    assert people.read(people.place()) == ()


def test_a_key_that_no_running_server_takes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "state" / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    entry = {"url": "http://127.0.0.1:1/v1"}
    (folder / "office.json").write_text(json.dumps(entry))
    assert main(["keys", "add", "aiko"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No running server accepts it (office): none was started with --people-keys." in said
    assert "start it with: gyakusan serve ... --people-keys" in said
    (folder / "shared.json").write_text(json.dumps({**entry, "people_keys": True}))
    assert main(["keys", "add", "ken"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Servers that were started with --people-keys accept it within a second." in said
    assert "No running server" not in said


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "add", "aiko", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    valid(made)
    assert people.read(people.place())[0].hash == hashed(made["key"])
    assert main(["keys", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    valid(listed)
    assert [(k["name"], k["until"], k["tokens_per_minute"]) for k in listed["keys"]] == [("aiko", None, 0)]
    assert made["key"] not in json.dumps(listed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "a b"], "cannot name the owner"),
        (["add", "owner"], "the server's own key. Use another name"),
        (["add", "../../x"], "Use letters of any script, digits and . _ @ + -, with no . or - at the beginning"),
        (["add", "a" * 300], "it has 300 characters. Use at most 64."),
        (["add", "aiko", "--until", "tomorrow"], "is no day"),
        (["add", "aiko", "--until", "2020-01-01"], "never be valid"),
        (["add", "aiko", "--requests", "-1"], "--requests takes 0 or more"),
        (["add", "aiko", "--tokens", "many"], "many"),
        (["revoke", "aiko"], "has no key"),
    ],
)
def test_what_cannot_be(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", *words]) == 2
    assert said in capsys.readouterr().err
    assert people.read(people.place()) == ()


def test_a_key_whose_day_is_over_is_listed_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    people.place().parent.mkdir(parents=True)
    people.place().write_text(
        '{"schema": "gyakusan/people/1", "people": [{"name": "ken", "hash": "", "made": "2020-01-01", "until": "2020-02-01"}]}'
    )
    assert main(["keys", "list", "--lang", "ja"]) == 0
    assert "2020-02-01(期限切れ)" in capsys.readouterr().out


def test_a_key_that_nobody_has_seen_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gyakusan.cli.keys.write_json", full)
    monkeypatch.setattr("gyakusan.cli.writing.drop", lambda stream: None)  # it would close what pytest captures with
    assert main(["keys", "add", "aiko", "--json"]) == 3
    assert people.read(people.place()) == ()


def test_one_reader_for_budgets_and_another_for_lengths() -> None:
    """100k tokens in a minute are 100,000 wherever they are typed, 1k people are 1,000, a context of 32k is 32,768."""
    from gyakusan.cli.options import People, Sharing
    from gyakusan.planning.request.parse_request import parse_request

    assert main(["keys", "add", "kenji", "--tokens", "100k"]) == 0
    assert people.read(people.place())[0].tokens == 100_000
    assert main(["keys", "add", "mio", "--tokens", "0"]) == 0
    assert main(["keys", "add", "x", "--tokens", "many"]) == 2
    assert Sharing(key_tokens="100k").changes["key_tokens"] == 100_000
    assert Sharing().changes["key_tokens"] == 0
    load = People("32k", "1k").load(2**20)
    assert (load.users, load.context) == (1000, 32_768)
    request = parse_request({"users": "1k", "context": "32k"})
    assert (request.users, request.context) == (1000, 32_768)
