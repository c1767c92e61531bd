"""A newer release: fetched over loopback, verified, checked, and used; a bad one changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gyakusan.catalog import places, records, release
from gyakusan.catalog.devices import entry_of
from gyakusan.catalog.places import RELEASE
from gyakusan.cli import main
from gyakusan.errors import BadRecord, SourceError

NEXT = "2099.01.01"


@pytest.fixture
def offered(home: Path) -> Path:
    """A folder with a newer release."""
    release.bundle(home / "offered", release=NEXT)
    return home / "offered"


def fetch_from(folder: Path) -> Callable[[str], bytes]:
    return lambda name: (folder / name).read_bytes()


def test_a_newer_release_is_used(offered: Path) -> None:
    manifest, newer = release.update(fetch_from(offered))
    assert (manifest.release, newer) == (NEXT, True)
    for cached in (records._compiled, records._database):
        cached.cache_clear()
    assert records.root() == places.fetched() / NEXT
    assert entry_of("RTX 5090").file.is_relative_to(places.fetched())
    assert release.update(fetch_from(offered))[1] is False


def test_an_older_release_is_left_alone(home: Path) -> None:
    release.bundle(home / "old", release=RELEASE)
    assert release.update(fetch_from(home / "old"))[1] is False
    assert places.released() is None


def spoilt(offered: Path, change: Callable[[str], str]) -> None:
    path = next(p for p in offered.glob("catalog-*.json"))
    path.write_text(change(path.read_text("utf-8")), "utf-8")


def resigned(offered: Path) -> None:
    import hashlib

    path = next(p for p in offered.glob("catalog-*.json"))
    manifest = json.loads((offered / release.MANIFEST).read_text())
    manifest["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (offered / release.MANIFEST).write_text(json.dumps(manifest))


def test_another_checksum_is_refused(offered: Path) -> None:
    spoilt(offered, lambda text: text.replace("1792", "9999"))
    with pytest.raises(SourceError, match="The SHA-256 of"):
        release.update(fetch_from(offered))
    assert places.released() is None


def test_records_that_break_a_rule_are_refused(offered: Path) -> None:
    spoilt(offered, lambda text: text.replace("bandwidth_gb_s = 1792", "bandwidth_gb_s = -1"))
    resigned(offered)
    with pytest.raises(BadRecord, match="bandwidth_gb_s cannot be right"):
        release.update(fetch_from(offered))
    assert places.released() is None
    assert list(places.fetched().iterdir()) == []


@pytest.mark.parametrize("name", ["../../evil.toml", "/etc/evil.toml", "devices/../evil.toml", "devices/evil.py"])
def test_files_elsewhere_are_refused(offered: Path, name: str) -> None:
    spoilt(offered, lambda text: json.dumps({"files": {**json.loads(text)["files"], name: ""}}))
    resigned(offered)
    with pytest.raises(SourceError, match="is no file of a catalogue"):
        release.update(fetch_from(offered))


GOOD = {"release": NEXT, "schema": 1, "file": "a.json", "sha256": "0" * 64}


@pytest.mark.parametrize(
    "change",
    [{"release": "new"}, {"sha256": "1"}, {"file": "../a"}, {"schema": "1"}, {"more": 1}],
    ids=lambda c: next(iter(c)),
)
def test_damaged_manifests(change: dict[str, object]) -> None:
    with pytest.raises(SourceError, match="The release is damaged"):
        release.parse(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"null"])
def test_no_manifest(text: bytes) -> None:
    with pytest.raises(SourceError, match="The release is damaged"):
        release.parse(text)


def test_a_release_from_the_future() -> None:
    with pytest.raises(BadRecord, match="format 2"):
        release.parse(json.dumps({**GOOD, "schema": 2}).encode())


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


def test_the_command_over_loopback(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "update", "--address", address]) == 2
    assert places.released() is None
    assert main(["catalog", "update", "--online", "--address", address, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["release"], document["newer"]) == ("gyakusan/catalog-notice/1", NEXT, True)
    assert places.released() == places.fetched() / NEXT


def test_nothing_there(home: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "update", "--online", "--address", address + "nothing"]) == 3
    assert "--address" in capsys.readouterr().err
