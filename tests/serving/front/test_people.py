"""Keys of people: kept as hashes, revoked at once, limited one by one."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import httpx2
import pytest
from tests.fakes.fake_model_server import Open, opened, wait_for

from gyakusan.errors import BadReference, BadSetting, SourceError
from gyakusan.serving.front import people
from gyakusan.serving.front.keys import OWNER, Keys, hashed
from gyakusan.serving.front.people import PeopleKeys
from gyakusan.serving.front.refusal import Refusal

__all__ = ["opened"]  # the fixture

TODAY = date(2026, 11, 29)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def shown(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Bearer " + key.encode())]


def test_only_a_hash_is_kept() -> None:
    key = people.add("aiko", tokens=1000, today=TODAY)
    text = people.place().read_text()
    assert key not in text
    assert hashed(key) in text
    assert people.place().stat().st_mode & 0o777 == 0o600
    (aiko,) = people.read(people.place())
    assert (aiko.name, aiko.made, aiko.until, aiko.requests, aiko.tokens) == ("aiko", TODAY, None, 0, 1000)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", ".x", OWNER, "a" * 65, "a\n", "\x1b[2J", "ai/ko"])
def test_names_are_words(name: str) -> None:
    with pytest.raises(BadSetting):
        people.add(name, today=TODAY)
    assert people.read(people.place()) == ()


def test_a_name_has_one_key_until_it_is_revoked() -> None:
    first = people.add("aiko", today=TODAY)
    with pytest.raises(BadSetting, match="has a key already"):
        people.add("aiko", today=TODAY)
    with pytest.raises(BadReference, match="has no key"):
        people.revoke("aik")
    people.revoke("aiko")
    assert people.add("aiko", today=TODAY) != first


def test_a_running_front_notices_what_changes() -> None:
    now = [0.0]
    keys = Keys.of("k" * 20, PeopleKeys(people.place(), lambda: now[0], lambda: TODAY))
    assert keys
    assert keys.owner(shown("k" * 20)) == OWNER
    aiko = people.add("aiko", requests=3, tokens=500, today=TODAY)
    now[0] += people.LOOK
    assert keys.owner(shown(aiko)) == "aiko"
    assert keys.owner([(b"x-api-key", aiko.encode())]) == "aiko"
    assert keys.owner(shown(hashed(aiko))) is None
    assert keys.limits("aiko") == (3, 500)
    assert keys.limits(OWNER) == (0, 0)
    people.revoke("aiko")
    now[0] += people.LOOK
    assert keys.owner(shown(aiko)) is None
    assert keys.limits("aiko") == (0, 0)


def test_a_key_ends_with_its_last_day() -> None:
    today = [TODAY]
    key = people.add("aiko", until=TODAY, today=TODAY)
    keys = Keys.of(None, PeopleKeys(people.place(), today=lambda: today[0]))
    assert keys.owner(shown(key)) == "aiko"
    today[0] = date(2026, 11, 30)
    assert keys.owner(shown(key)) is None
    with pytest.raises(BadSetting, match="never be valid"):
        people.add("ken", until=date(2026, 11, 28), today=TODAY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema": "gyakusan/people/2", "people": []}',
        '{"schema": "gyakusan/people/1", "people": [{"name": "a b", "hash": "", "made": "2026-11-29"}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_none_lets_nobody_in(text: str) -> None:
    now = [0.0]
    key = people.add("aiko", today=TODAY)
    keys = Keys.of("k" * 20, PeopleKeys(people.place(), lambda: now[0], lambda: TODAY))
    assert keys.owner(shown(key)) == "aiko"
    people.place().write_text(text)
    now[0] += people.LOOK
    assert keys.owner(shown(key)) is None
    assert keys.owner(shown("k" * 20)) == OWNER
    for change in (lambda: people.add("ken", today=TODAY), lambda: people.revoke("aiko")):
        with pytest.raises(SourceError, match="does not hold the keys"):
            change()
    assert people.place().read_text() == text
    people.place().unlink()
    now[0] += people.LOOK
    assert keys.owner(shown(key)) is None
    assert people.read(people.place()) == ()


def test_a_damaged_hash_opens_nothing() -> None:
    text = '{"schema": "gyakusan/people/1", "people": [{"name": "a", "hash": "ü", "made": "2026-11-29"}]}'
    people.place().parent.mkdir(parents=True)
    people.place().write_text(text)
    assert Keys.of(None, PeopleKeys(people.place())).owner(shown("ü")) is None


def test_nobody_is_called_owner_by_hand() -> None:
    people.place().parent.mkdir(parents=True)
    people.place().write_text(
        f'{{"schema": "gyakusan/people/1", "people": [{{"name": "{OWNER}", "hash": "{hashed("k")}", "made": "2026-11-29"}}]}}'
    )
    assert Keys.of(None, PeopleKeys(people.place())).owner(shown("k")) is None


def test_a_file_that_could_not_be_read_once_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise SourceError("no")

    now = [0.0]
    key = people.add("aiko", today=TODAY)
    keys = Keys.of(None, PeopleKeys(people.place(), lambda: now[0], lambda: TODAY))
    with monkeypatch.context() as broken:
        broken.setattr(people.files, "whole", fail)
        assert keys.owner(shown(key)) is None
    now[0] += people.LOOK
    assert keys.owner(shown(key)) == "aiko"


def test_a_limit_of_a_person_holds_wherever_they_ask_from(opened: Open) -> None:
    people.add("aiko", requests=2, today=TODAY)
    app = opened(owners=PeopleKeys(people.place(), today=lambda: TODAY)).front.app
    for address in ("192.0.2.1", "192.0.2.2"):
        app._meter(("aiko", address))
    with pytest.raises(Refusal, match="used its share"):
        app._meter(("aiko", "192.0.2.3"))


def test_tokens_are_looked_at_again_after_the_wait_for_a_slot(opened: Open) -> None:
    """Twelve at once all came in before the first had used anything."""
    key = people.add("aiko", tokens=10, today=TODAY)
    running = opened(slots=1, key_slots=1, owners=PeopleKeys(people.place(), today=lambda: TODAY))

    def ask(_: int) -> int:
        with running.client(key) as client:
            return client.post("/v1/chat/completions", json={"wait": 0.05}).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))
    assert answers.count(200) <= 3  # seven tokens each
    assert answers.count(200) + answers.count(429) == 12


def test_a_revoked_key_ends_the_answer_that_runs(opened: Open) -> None:
    key = people.add("aiko", today=TODAY)
    running = opened(owners=PeopleKeys(people.place(), today=lambda: TODAY))
    with running.client(key) as client, client.stream("POST", "/v1/chat/completions", json={"stream": 400}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        people.revoke("aiko")
        with pytest.raises(httpx2.TransportError):
            for _ in pieces:
                pass
    assert wait_for(lambda: running.front.busy == 0)


def test_a_file_that_others_may_write_lets_nobody_in() -> None:
    now = [0.0]
    key = people.add("aiko", today=TODAY)
    keys = Keys.of(None, PeopleKeys(people.place(), lambda: now[0], lambda: TODAY))
    people.place().chmod(0o666)
    assert keys.owner(shown(key)) is None
    with pytest.raises(SourceError, match="Other users"):
        people.read(people.place())
    people.place().chmod(0o600)
    now[0] += people.LOOK
    assert keys.owner(shown(key)) == "aiko"


def test_a_folder_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(SourceError, match="cannot be kept"):
        people.add("aiko", today=TODAY)


def test_keys_that_are_made_at_one_moment_are_all_kept() -> None:
    code = (
        "import sys; from datetime import date; from gyakusan.serving.front import people\n"
        "for i in range(5): people.add(f'{sys.argv[1]}{i}', today=date(2026, 11, 29))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abcd"]
    assert [p.wait(60) for p in running] == [0] * 4
    assert {p.name for p in people.read(people.place())} == {f"{n}{i}" for n in "abcd" for i in range(5)}


def test_each_person_has_limits_of_their_own(opened: Open) -> None:
    aiko, ken = people.add("aiko", requests=2, today=TODAY), people.add("ken", tokens=10, today=TODAY)
    running = opened(owners=PeopleKeys(people.place(), today=lambda: TODAY))

    def ask(key: str) -> int:
        with running.client(key) as client:
            return client.post("/v1/chat/completions", json={}).status_code

    assert [ask(aiko) for _ in range(3)] == [200, 200, 429]
    assert [ask(ken) for _ in range(2)] == [200, 200]
    assert wait_for(lambda: ask(ken) == 429)
    assert running.post().status_code == 200  # the owner has the limits of the server: none
    people.revoke("aiko")
    assert wait_for(lambda: ask(aiko) == 401)
    assert b'gyakusan_requests_total{key="ken"}' in running.front.app.metrics.text()
