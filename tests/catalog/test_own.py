"""Records of one's own: checked, then kept, then found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.catalog.some import DEVICE

from gyakusan.catalog import own, places, records
from gyakusan.catalog.devices import entry_of
from gyakusan.catalog.entry import MOST
from gyakusan.catalog.toml_files import read
from gyakusan.doors.notices import log, notice
from gyakusan.errors import BadRecord, BadReference, BadSetting, SourceError
from gyakusan.planning.candidates.hardware import all_machines
from gyakusan.planning.request.request import PlanRequest


def test_what_is_added_is_found(home: Path) -> None:
    path, (entry,) = own.add(DEVICE.encode(), "https://example.org/gpus/mine.toml?x=1")
    assert path.parent == places.own() == home / "config" / "gyakusan" / "catalog"
    assert entry.name == "Some GPU"
    assert entry_of("some gpu").file == path


def test_a_bad_file_is_not_kept(home: Path) -> None:
    with pytest.raises(BadRecord, match="no field is called colour"):
        own.add((DEVICE + "colour = 1\n").encode(), "mine.toml")
    assert places.own_files() == ()


def test_our_names_are_not_taken_unless_asked(home: Path) -> None:
    text = DEVICE.replace("Some GPU", "RTX 5090").replace("[8]", "[32]").encode()
    with pytest.raises(BadRecord, match="also means 'NVIDIA GeForce RTX 5090'"):
        own.add(text, "mine")
    path, _ = own.add(text, "mine", replace=True)
    assert entry_of("RTX 5090").file == path


def test_what_hides_ours_may_refer_to_ours(home: Path) -> None:
    text = (
        '[[machine]]\nname = "DGX Spark"\ndevice = "NVIDIA GB10"\nsizes_gib = [128]\nsource = "x"\nchecked = "2026"\n'
    )
    own.add(text.encode(), "mine", replace=True)
    assert entry_of("DGX Spark").own


def test_machines_are_bought_beside_a_record_that_hides_ours(home: Path) -> None:
    """A card of one's own with another size took the place of ours, and no machine could be bought any more."""
    own.add(DEVICE.replace("Some GPU", "RTX 4090").replace("[8]", "[48]").encode(), "mine", replace=True)
    text = "[[device]]\n" + DEVICE.split("\n", 1)[1].replace("Some GPU", "AMD Ryzen AI Max+ 395").replace("[8]", "[16]")
    own.add(text.encode(), "other", replace=True)
    names = {o.machine.name for o in all_machines(PlanRequest(model="gpt-oss-20b"))}
    assert "NVIDIA GeForce RTX 5090" in names


def test_a_file_is_not_overwritten_unless_asked(home: Path) -> None:
    own.add(DEVICE.encode(), "mine.toml")
    with pytest.raises(BadSetting, match="exists already"):
        own.add(DEVICE.encode(), "mine.toml")
    own.add(DEVICE.replace("100", "200").encode(), "mine.toml", replace=True)


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"x" * (own.MOST + 1)])
def test_no_records(home: Path, text: bytes) -> None:
    with pytest.raises(BadReference):
        own.add(text, "mine.toml")


def test_a_file_is_checked_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(DEVICE)
    assert own.check_own(path) == 1
    with pytest.raises(BadReference, match="does not exist"):
        own.check_own(tmp_path / "nothing.toml")


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What is said of files that are passed by."""
    said: list[str] = []
    notice.hear(lambda message: said.append(str(message)))
    yield said
    notice.hear(log)


BROKEN = {
    "folder": lambda file: file.mkdir(),
    "link": lambda file: file.symlink_to("nothing"),
    "pipe": os.mkfifo,
    "zeros": lambda file: file.symlink_to("/dev/zero"),
    "bytes": lambda file: file.write_bytes(bytes(range(256))),
    "no TOML": lambda file: file.write_text("a = [[["),
    "deep": lambda file: file.write_text("a = " + "[" * 50_000),
    "large": lambda file: file.write_bytes(b"#" * (MOST + 1)),
    "no name": lambda file: file.write_text("[[device]]\nmaker = 1\n"),
    "from the future": lambda file: file.write_text("schema = 99\n"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_read_is_named_and_passed_by(home: Path, kind: str, heard: list[str]) -> None:
    """F6: one odd entry broke every command: a folder, a dangling link, a pipe, a device."""
    places.own().mkdir(parents=True)
    BROKEN[kind](places.own() / "d.toml")
    (places.own() / "e.toml").write_text(DEVICE)
    found = [e.name for e in records.entries("device") if e.own]
    assert found == [e.name for e in read(places.own() / "e.toml")]
    assert len(heard) == 1, heard
    assert heard[0].startswith("Your records in ")
    assert "d.toml" in heard[0]


def test_what_breaks_a_rule_is_named_and_passed_by(home: Path, heard: list[str]) -> None:
    places.own().mkdir(parents=True)
    bad = places.own() / "bad.toml"
    bad.write_text(DEVICE.replace("[8]", "[0]"))
    assert own.leave_out_broken() == (bad,)
    assert "bad.toml" in heard[0]
    assert not [e for e in records.entries("device") if e.own]
    bad.write_text(DEVICE)
    assert own.leave_out_broken() == ()
    assert [e for e in records.entries("device") if e.own]


def test_a_folder_that_cannot_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("gyakusan.catalog.places.os.listdir", refused)
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        places.own_files()
