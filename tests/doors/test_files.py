"""Files on this computer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gyakusan import errors
from gyakusan.doors import files
from gyakusan.models import sources


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "a.bin"
    found.write_bytes(bytes(range(100)))
    return found


def test_reads_exactly_what_is_asked(path: Path) -> None:
    with files.open(path) as source:
        assert source.size == 100
        assert source.file == "a.bin"
        assert source.name == str(path)
        assert source.read(0, 3) == b"\0\1\2"
        assert source.read(97, 3) == bytes([97, 98, 99])
        assert source.read(100, 0) == b""


@pytest.mark.parametrize(("at", "n", "short"), [(98, 3, 1), (100, 1, 1), (2**63, 8, 2**63 + 8 - 100)])
def test_past_the_end(path: Path, at: int, n: int, short: int) -> None:
    with (
        files.open(path) as source,
        pytest.raises(errors.Truncated, match=f"{short} bytes too early.*download it again"),
    ):
        source.read(at, n)


def test_negative_positions(path: Path) -> None:
    with files.open(path) as source, pytest.raises(errors.Truncated):
        source.read(-1, 1)


def test_a_file_that_shrinks_while_it_is_read(path: Path) -> None:
    with files.open(path) as source:
        os.truncate(path, 10)
        with pytest.raises(errors.Truncated):
            source.read(5, 20)


def test_beside_does_not_follow_links(path: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "one").symlink_to(path)
    (links / "two").write_bytes(b"2")
    with files.open(links / "one") as source, source.beside("two") as other:
        assert other.read(0, 1) == b"2"


def test_a_closed_source(path: Path) -> None:
    source = files.open(path)
    source.close()
    source.close()
    with pytest.raises(errors.SourceError, match=r"cannot be read.*closed"):
        source.read(0, 1)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(errors.BadReference, match=r"is a folder, not a file\. Give the path of one file"):
        files.open(tmp_path)
    with pytest.raises(errors.BadReference, match=r"The file .*nothing\.gguf does not exist\. Check the spelling"):
        files.open(tmp_path / "nothing.gguf")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # opening it would wait for ever
    with pytest.raises(errors.BadReference, match=r"not a regular file"):
        files.open(fifo)
    with pytest.raises(errors.SourceError, match=r"cannot be read"):
        files.open("a\0b")
    with pytest.raises(errors.SourceError, match=r"cannot be read"):
        files.open("x" * 5000)
    with pytest.raises(errors.BadReference, match=r"does not exist"):
        files.open(tmp_path / "a.bin" / "..")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(errors.SourceError, match=r"cannot be read"):
        files.open(loop)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(errors.SourceError, match=r"Check its permissions"):
        files.open(path)


def test_names_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(errors.BadReference) as caught:
        files.open(tmp_path / ("a\nb\x1b[31m" + "c" * 220 + "/" + "d" * 200))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_open_chooses_by_scheme(path: Path) -> None:
    with sources.open(str(path)) as source:
        assert source.read(1, 1) == b"\1"
    with pytest.raises(errors.BadReference, match="web address was expected"):
        sources.open("http://")
    with pytest.raises(errors.BadReference, match="The file"):
        sources.open("file:///etc/nothing")
