"""Where records stand: the index, files that changed since, the user's own, files from the future."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gyakusan import catalog
from gyakusan.catalog import records
from gyakusan.catalog.compile import compile_index
from gyakusan.catalog.devices import entry_of
from gyakusan.catalog.records import DATA, INDEX, KINDS, index_of, lookup, scan
from gyakusan.errors import BadRecord

OWN = """[[device]]
name = "Some GPU"
aliases = ["RTX 5090"]
vendor = "Some"
kind = "gpu"
backend = "cuda"
sizes_gib = [48]
bandwidth_gb_s = 1000
released = "2026-01-01"
source = "my desk"
checked = "2026-01-01"
"""


@pytest.mark.parametrize("folder", KINDS)
def test_the_index_is_fresh(folder: str) -> None:
    """If not: python -m gyakusan.catalog.compile"""
    written = (DATA / INDEX / f"{folder.removesuffix('.toml')}.tsv").read_text("utf-8")
    assert written == index_of(DATA, folder)


@pytest.mark.parametrize("folder", KINDS)
def test_the_index_finds_what_a_scan_finds(folder: str) -> None:
    index = records._index(DATA, folder)
    assert index is not None
    assert index.fresh()
    assert tuple(index.every()) == records._scanned(DATA, folder)


def test_a_lookup_makes_one_entry() -> None:
    (found,) = lookup("models", "qwen2.514b")
    assert found.name == "qwen2.5-14b"
    assert found.text.startswith("[[model]]\n")
    assert found.file.read_text("utf-8").splitlines()[found.line - 1] == "[[model]]"
    assert lookup("models", "") == lookup("devices", "nothing") == ()


@pytest.fixture
def copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = home / "copy"
    (data / "devices").mkdir(parents=True)
    shutil.copy(DATA / "devices" / "apple.toml", data / "devices")
    compile_index(data)
    monkeypatch.setattr(records, "DATA", data)
    return data


def forget() -> None:
    for cached in (records._bytes, records._index, records._scanned, records.scan, records.entries):
        cached.cache_clear()


def test_an_edited_file_is_read_anew(copied: Path) -> None:
    path = copied / "devices" / "apple.toml"
    assert entry_of("Apple M5 Pro").line > 1
    path.write_text("# one line more\n" + path.read_text("utf-8"), "utf-8")
    forget()
    found = entry_of("Apple M5 Pro")
    assert found.table()["name"] == "Apple M5 Pro"
    assert path.read_text("utf-8").splitlines()[found.line - 1] == "[[device]]"


def test_an_edit_of_the_same_length_is_seen(copied: Path) -> None:
    path = copied / "devices" / "apple.toml"
    path.write_text(path.read_text("utf-8").replace("Apple M5 Pro", "Apple M9 Pro"), "utf-8")
    forget()
    assert entry_of("Apple M9 Pro").table()["name"] == "Apple M9 Pro"


def own(home: Path, text: str, name: str = "mine.toml") -> Path:
    path = home / "config" / "gyakusan" / "catalog" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_the_users_records_are_found_and_marked(home: Path) -> None:
    own(home, OWN)
    assert entry_of("Some GPU").own
    assert catalog.device("some gpu").device().memory == 48 << 30
    assert not entry_of("RTX 4090").own


def test_the_users_records_hide_ours(home: Path) -> None:
    own(home, OWN)
    assert catalog.device("RTX 5090").device().name == "Some GPU"


def test_a_file_from_the_future_is_refused_with_its_line(home: Path) -> None:
    path = own(home, "# mine\nschema = 2\n\n" + OWN)
    with pytest.raises(BadRecord, match=r"mine\.toml, line 2: it is written in form 2, .* up to 1\. Upgrade gyakusan"):
        catalog.device("Some GPU")
    assert scan(own(home, "schema = 1\n" + OWN, "b.toml"))[0].line == 2
    path.unlink()


def test_lines_of_fields() -> None:
    found = entry_of("RTX 5090")
    lines = found.file.read_text("utf-8").splitlines()
    assert lines[found.line_of("bandwidth_gb_s") - 1].startswith("bandwidth_gb_s = ")
    assert found.line_of("nothing") == found.line_of("") == found.line


def test_names_without_a_file_are_no_error(home: Path) -> None:
    (home / "config" / "gyakusan").mkdir(parents=True)
    (home / "config" / "gyakusan" / "catalog").write_text("a file, not a folder")
    assert entry_of("RTX 5090").name == "NVIDIA GeForce RTX 5090"
