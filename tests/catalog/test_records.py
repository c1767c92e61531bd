"""Where records stand: the compiled file, files that changed since, the user's own, files from the future."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from gyakusan import catalog
from gyakusan.catalog import compile as compile_
from gyakusan.catalog import records
from gyakusan.catalog.compile import COMPILED, compile_catalogue, is_fresh, toml_files
from gyakusan.catalog.devices import entry_of
from gyakusan.catalog.entry import PLACES
from gyakusan.catalog.places import DATA
from gyakusan.catalog.records import checksums, entries, lookup
from gyakusan.catalog.toml_files import read
from gyakusan.doors.notices import log, notice
from gyakusan.errors import BadRecord, UnknownName

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


def test_the_compiled_catalogue_holds_what_the_files_say() -> None:
    read_now = [e for file in toml_files(DATA) for e in read(file)]
    for kind in PLACES:
        assert [(e, e.json) for e in entries(kind)] == [(e, e.json) for e in read_now if e.kind == kind]


def test_checksums_are_those_of_the_records_that_are_not_the_users() -> None:
    assert checksums("model") == [(e.name, e.crc) for e in entries("model") if not e.own]


def test_a_lookup_makes_one_entry() -> None:
    (entry,) = lookup("model", "qwen2.514b")
    assert entry.name == entry.fields()["name"] == "qwen2.5-14b"
    assert entry.file.read_text("utf-8").splitlines()[entry.line - 1] == "[[model]]"
    assert lookup("model", "") == lookup("device", "nothing") == ()


@pytest.fixture
def copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of Apple's devices in a folder of its own."""
    data = home / "copy"
    (data / "devices").mkdir(parents=True)
    shutil.copy(DATA / "devices" / "apple.toml", data / "devices")
    monkeypatch.setattr(records, "DATA", data)
    return data


def forget() -> None:
    records._compiled.cache_clear()
    records._database.cache_clear()


def test_nothing_compiled_is_compiled(copied: Path) -> None:
    assert not is_fresh(copied)
    assert entry_of("Apple M5 Pro").line > 1
    assert is_fresh(copied)
    assert [path.name for path in copied.iterdir() if path.is_file()] == [COMPILED]


def test_an_edited_file_is_read_anew(copied: Path) -> None:
    path = copied / "devices" / "apple.toml"
    assert entry_of("Apple M5 Pro").line > 1
    path.write_text("# one line more\n" + path.read_text("utf-8"), "utf-8")
    forget()
    entry = entry_of("Apple M5 Pro")
    assert entry.fields()["name"] == "Apple M5 Pro"
    assert path.read_text("utf-8").splitlines()[entry.line - 1] == "[[device]]"


def test_an_edit_of_the_same_length_is_seen(copied: Path) -> None:
    path = copied / "devices" / "apple.toml"
    compile_catalogue(copied)
    path.write_text(path.read_text("utf-8").replace("Apple M5 Pro", "Apple M9 Pro"), "utf-8")
    assert entry_of("Apple M9 Pro").fields()["name"] == "Apple M9 Pro"


def test_an_added_file_is_seen(copied: Path) -> None:
    compile_catalogue(copied)
    (copied / "devices" / "mine.toml").write_text(OWN, "utf-8")
    assert entry_of("Some GPU").fields()["vendor"] == "Some"


@pytest.mark.parametrize("text", ["", "no database", "SQLite format 3\0"])
def test_a_damaged_compiled_file_is_made_anew(copied: Path, text: str) -> None:
    (copied / COMPILED).write_text(text)
    assert entry_of("Apple M5 Pro").name == "Apple M5 Pro"


def test_where_nothing_may_be_written_it_is_compiled_in_memory(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(compile_, "compile_catalogue", refuse)
    assert entry_of("Apple M5 Pro").name == "Apple M5 Pro"
    assert not (copied / COMPILED).exists()


def test_a_wheel_is_fresh_whenever_its_files_were_installed(copied: Path) -> None:
    compile_catalogue(copied, packaged=True)
    os.utime(copied / "devices" / "apple.toml", (1, 1))
    assert is_fresh(copied)
    compile_catalogue(copied)
    os.utime(copied / "devices" / "apple.toml", (2, 2))
    assert not is_fresh(copied)


def test_a_broken_file_is_named(copied: Path) -> None:
    (copied / "devices" / "apple.toml").write_text("[[device]]\nname = \n", "utf-8")
    with pytest.raises(BadRecord, match=r"apple\.toml, line 2: "):
        entry_of("Apple M5 Pro")
    assert list(copied.glob("*.sqlite")) == list(copied.glob(".*")) == []


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


def test_a_file_from_the_future_is_named_with_its_line_and_passed_by(home: Path) -> None:
    path = own(home, "# mine\nschema = 2\n\n" + OWN)
    said: list[str] = []
    notice.hear(lambda message: said.append(str(message)))
    with pytest.raises(UnknownName, match="Some GPU"):
        catalog.device("Some GPU")
    notice.hear(log)
    assert re.search(r"mine\.toml, line 2: its format is 2; .* up to 1\.", said[0])
    assert read(own(home, "schema = 1\n" + OWN, "b.toml"))[0].line == 2
    path.unlink()


def test_lines_of_fields() -> None:
    entry = entry_of("RTX 5090")
    lines = entry.file.read_text("utf-8").splitlines()
    assert lines[entry.line_of("bandwidth_gb_s") - 1].startswith("bandwidth_gb_s = ")
    assert entry.line_of("nothing") == entry.line_of("") == entry.line


def test_names_without_a_file_are_no_error(home: Path) -> None:
    (home / "config" / "gyakusan").mkdir(parents=True)
    (home / "config" / "gyakusan" / "catalog").write_text("a file, not a folder")
    assert entry_of("RTX 5090").name == "NVIDIA GeForce RTX 5090"


def test_a_file_damaged_inside_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(DATA / "devices", tmp_path / "data" / "devices").parent
    monkeypatch.setattr(records, "root", lambda: folder)
    whole = len(records.entries("device"))
    file = folder / "catalogue.sqlite"
    content = bytearray(file.read_bytes())
    content[5000:-5000] = b"\xff" * (len(content) - 10000)
    stamp = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    records._compiled.cache_clear()
    records._database.cache_clear()
    assert len(records.entries("device")) == whole > 100


def test_bytes_that_are_no_text_name_nothing() -> None:
    for name in ("\udcff", "日本\udcff語", "\ud800"):
        assert not lookup("device", name)
