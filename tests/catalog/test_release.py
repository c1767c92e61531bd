"""A release: fetched over loopback, verified, checked, used, and left again; a bad one changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.catalog.releases import KEY, LATER, NEXT, fetch_from, forget, in_use, offer, sign

from gyakusan.catalog import places, records, release
from gyakusan.catalog.devices import entry_of
from gyakusan.catalog.places import RELEASE
from gyakusan.catalog.release_stamp import MANIFEST
from gyakusan.catalog.release_update import update
from gyakusan.cli import main
from gyakusan.errors import BadRecord, GyakusanError, SourceError

pytestmark = pytest.mark.usefixtures("in_2030")


def test_a_newer_release_is_used(offered: Path) -> None:
    assert update(fetch_from(offered), KEY) == (NEXT, True, NEXT)
    forget()
    assert records.root() == places.fetched() / NEXT
    assert entry_of("RTX 5090").file.is_relative_to(places.fetched())
    assert update(fetch_from(offered), KEY) == (NEXT, False, NEXT)
    assert sorted(os.listdir(places.fetched())) == [NEXT, "chosen"]


def spoilt(offered: Path, change: Callable[[str], str]) -> None:
    path = next(p for p in offered.glob("catalog-*.json"))
    path.write_text(change(path.read_text("utf-8")), "utf-8")


def resigned(offered: Path) -> None:
    path = next(p for p in offered.glob("catalog-*.json"))
    manifest = json.loads((offered / MANIFEST).read_text())
    manifest["sha256"] = sha256(path.read_bytes()).hexdigest()
    (offered / MANIFEST).write_text(json.dumps(manifest))
    sign(offered)


def refused(offered: Path, match: str, kind: type[GyakusanError] = SourceError) -> None:
    with pytest.raises(kind, match=match):
        update(fetch_from(offered), KEY)
    assert in_use() == RELEASE
    assert not places.fetched().exists() or not [n for n in os.listdir(places.fetched()) if n != "chosen"]


def test_another_checksum_is_refused(offered: Path) -> None:
    spoilt(offered, lambda text: text.replace("1792", "9999"))
    refused(offered, "The SHA-256 of")


def test_another_manifest_is_refused(offered: Path) -> None:
    """F4: whoever owned the address was believed."""
    path = offered / MANIFEST
    path.write_text(path.read_text().replace(NEXT, LATER))
    refused(offered, "its signature does not match")


def test_the_project_signs_unless_another_key_is_named(offered: Path) -> None:
    with pytest.raises(SourceError, match="another key signed it"):
        update(fetch_from(offered))


def test_records_that_break_a_rule_are_refused(offered: Path) -> None:
    spoilt(offered, lambda text: text.replace("bandwidth_gb_s = 1792", "bandwidth_gb_s = -1"))
    resigned(offered)
    refused(offered, "bandwidth_gb_s cannot be right", BadRecord)


def files(change: Callable[[dict[str, str]], dict[str, str]]) -> Callable[[str], str]:
    return lambda text: json.dumps({"files": change(json.loads(text)["files"])})


NAMES = ["../../evil.toml", "/etc/evil.toml", "devices/../evil.toml", "devices/evil.py", "models/ｘ.toml", "a\n.toml"]


@pytest.mark.parametrize("name", NAMES)
def test_files_elsewhere_are_refused(offered: Path, name: str) -> None:
    spoilt(offered, files(lambda f: {**f, name: ""}))
    resigned(offered)
    refused(offered, "is not a file of a catalogue")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: {}, "machines.toml is missing"),
        (lambda f: {n: t for n, t in f.items() if n != "rates.toml"}, "rates.toml is missing"),
        (lambda f: {n: t if n in release.NEEDED else "" for n, t in f.items()}, "not whole|no model|no device"),
        (lambda f: {n: t for n, t in f.items() if not n.startswith("embeddings")} | {"models/a.toml": "a=" + "[" * 9**5},
         "nests too deeply|line 1"),
        (lambda f: {**f, **{f"models/x{n}.toml": "" for n in range(1000)}}, "too large"),
        (lambda f: {**f, "models/x.toml": "#" * (release.MOST_FILE + 1)}, "too large"),
    ],
    ids=["empty", "no-rates", "no-records", "deep", "many", "long"],
)  # fmt: skip
def test_what_is_no_whole_catalogue(
    offered: Path, change: Callable[[dict[str, str]], dict[str, str]], match: str
) -> None:
    """F4: a release without records was taken, and every name was unknown from then on."""
    spoilt(offered, files(change))
    resigned(offered)
    refused(offered, match, GyakusanError)


def test_half_of_the_models(offered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gyakusan.catalog import release_stamp

    monkeypatch.setattr(release_stamp, "LEAST", 1.01)
    refused(offered, "The release is not whole: it has .* records of kind model")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"files": {"a": "\\ud800"}}', '{"files": []}', "", '{"files": {}, "x": 1}']
)
def test_documents_that_are_none(offered: Path, text: str) -> None:
    spoilt(offered, lambda _: text)
    resigned(offered)
    refused(offered, "its document cannot be read")


def test_too_large_a_document() -> None:
    with pytest.raises(SourceError, match="too large"):
        release.contents(b" " * (release.MOST_DOCUMENT + 1))


GOOD = {"release": NEXT, "schema": 1, "file": "a.json", "sha256": "0" * 64}


@pytest.mark.parametrize(
    "change",
    [
        {"release": "new"}, {"release": 1}, {"release": "2029.02.30"}, {"release": "２０２９.０１.０１"},
        {"release": "9999.99.99"},
        {"sha256": "1"}, {"sha256": None}, {"file": "../a.json"}, {"file": "a"}, {"file": "ａ.json"},
        {"schema": "1"}, {"schema": -1}, {"schema": 0}, {"schema": True}, {"more": 1},
    ],
    ids=lambda c: "-".join(map(ascii, c.values())),
)  # fmt: skip
def test_damaged_manifests(change: dict[str, object]) -> None:
    with pytest.raises(SourceError, match="The release is damaged"):
        release.parse(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b"null", b"[" * 100_000], ids=["none", "list", "bytes", "null", "deep"]
)
def test_no_manifest(text: bytes) -> None:
    with pytest.raises(SourceError, match="The release is damaged"):
        release.parse(text)


def test_a_form_from_the_future() -> None:
    with pytest.raises(BadRecord, match="format 2"):
        release.parse(json.dumps({**GOOD, "schema": 2}).encode())


def test_a_date_that_has_not_come() -> None:
    """F4: release 9999.99.99 could never be replaced."""
    assert release.parse(json.dumps({**GOOD, "release": "2030.03.02"}).encode()).release == "2030.03.02"
    with pytest.raises(SourceError, match=r"of 2030\.03\.03, and today is 2030\.03\.01"):
        release.parse(json.dumps({**GOOD, "release": "2030.03.03"}).encode())


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(offered: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(offered)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_command_over_loopback(address: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "update", "--address", address, "--key", KEY]) == 2
    assert "--online" in capsys.readouterr().err
    command = ["catalog", "update", "--online", "--address", address, "--key", KEY]
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["release"], document["newer"]) == ("gyakusan/catalog-notice/1", NEXT, True)
    assert main(command) == 0
    assert f"up to date ({NEXT})" in capsys.readouterr().out
    offer(home / "offered", "2029.01.01")
    assert main(command) == 0
    assert "--older" in capsys.readouterr().out
    assert in_use() == NEXT


def test_no_address_is_built_in(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F4: an address was built in that nobody owned."""
    assert main(["catalog", "update", "--online"]) == 2
    assert "--address https://" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--online", "--built-in"], ["--back", "--built-in"], ["--back", "--online"]])
def test_one_way_at_a_time(home: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "update", *more]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_nothing_there(home: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "update", "--online", "--address", address + "nothing", "--key", KEY]) == 3
    assert "--address" in capsys.readouterr().err
