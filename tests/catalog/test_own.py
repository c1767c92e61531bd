"""Records of one's own: checked, then kept, then found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.catalog.some import DEVICE

from gyakusan.catalog import own, places, records
from gyakusan.catalog.devices import entry_of
from gyakusan.errors import BadRecord, BadReference, BadSetting, SourceError


def test_what_is_added_is_found(home: Path) -> None:
    path, (entry,) = own.add(DEVICE.encode(), "https://example.org/gpus/mine.toml?x=1")
    assert path.parent == places.own() == home / "config" / "gyakusan" / "catalog"
    assert entry.name == "Some GPU"
    assert entry_of("some gpu").file == path


def test_a_bad_file_is_not_kept(home: Path) -> None:
    with pytest.raises(BadRecord, match="unknown field `colour`"):
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
    with pytest.raises(BadReference, match="cannot be read"):
        own.check_own(tmp_path / "nothing.toml")


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_cannot_be_read_is_named(home: Path, kind: str) -> None:
    places.own().mkdir(parents=True)
    file = places.own() / "d.toml"
    if kind == "folder":
        file.mkdir()
    elif kind == "link":
        file.symlink_to(home / "nothing")
    else:
        os.mkfifo(file)
    with pytest.raises(BadRecord, match=r"d\.toml cannot be read: "):
        records.entries("device")


def test_a_folder_that_cannot_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("gyakusan.catalog.places.os.listdir", refused)
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        places.own_files()
