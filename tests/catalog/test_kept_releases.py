"""Releases that are kept: the ways back, and damaged folders, which are passed by and written anew."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.catalog.releases import KEY, LATER, NEXT, fetch_from, forget, in_use, offer

from gyakusan.catalog import kept_releases, places
from gyakusan.catalog.places import RELEASE
from gyakusan.catalog.release_stamp import MANIFEST, SIGNATURE, STAMP
from gyakusan.catalog.release_update import update
from gyakusan.cli import main
from gyakusan.errors import SourceError

pytestmark = pytest.mark.usefixtures("in_2030")


@pytest.mark.usefixtures("_unchecked")
def test_an_older_release_is_taken_when_asked(home: Path, offered: Path) -> None:
    old = offer(home / "old", "2026.01.01")
    assert update(fetch_from(old), KEY) == ("2026.01.01", False, RELEASE)
    assert in_use() == RELEASE
    update(fetch_from(offered), KEY)
    assert update(fetch_from(old), KEY) == ("2026.01.01", False, NEXT)
    assert update(fetch_from(old), KEY, older=True) == ("2026.01.01", True, "2026.01.01")
    assert in_use() == "2026.01.01"
    assert update(fetch_from(offered), KEY)[1] is True
    assert in_use() == NEXT


@pytest.mark.usefixtures("_unchecked")
def test_our_own_release_is_that_of_this_version(home: Path, offered: Path) -> None:
    update(fetch_from(offered), KEY)
    same = offer(home / "same", RELEASE)
    assert update(fetch_from(same), KEY, older=True) == (RELEASE, True, RELEASE)
    assert in_use() == RELEASE
    assert not (places.fetched() / RELEASE).exists()


@pytest.mark.usefixtures("_unchecked")
def test_the_ways_back(home: Path, offered: Path) -> None:
    update(fetch_from(offered), KEY)
    update(fetch_from(offer(home / "later", LATER)), KEY)
    assert in_use() == LATER
    assert main(["catalog", "update", "--back"]) == 0
    assert in_use() == NEXT
    assert main(["catalog", "update", "--back"]) == 0
    assert in_use() == RELEASE
    assert update(fetch_from(home / "later"), KEY)[1] is True
    assert main(["catalog", "update", "--built-in"]) == 0
    assert in_use() == RELEASE


@pytest.mark.usefixtures("_unchecked")
def test_three_releases_stay(home: Path) -> None:
    for month in range(1, 6):
        update(fetch_from(offer(home / str(month), f"2029.{month:02}.01")), KEY)
    kept = sorted(n for n in os.listdir(places.fetched()) if n[0] == "2")
    assert kept == ["2029.03.01", "2029.04.01", "2029.05.01"]


def damage_with(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text)  # type: ignore[return-value]


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def a_pipe(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    os.mkfifo(folder / MANIFEST)


def without_document(folder: Path) -> None:
    for path in folder.glob("catalog-*.json"):
        path.unlink()
    (folder / "rates.toml").write_text("")


BROKEN: dict[str, Callable[[Path], None]] = {
    "empty": emptied,
    "a file": a_file,
    "a pipe": a_pipe,
    "no stamp": lambda folder: (folder / STAMP).unlink(),
    "stamp of another form": damage_with(STAMP, "[[["),
    "no signature": lambda folder: (folder / SIGNATURE).unlink(),
    "another signature": damage_with(SIGNATURE, "x"),
    "another manifest": damage_with(MANIFEST, "{}"),
    "no document": without_document,
    "long manifest": damage_with(MANIFEST, " " * 100_000),
}


@pytest.mark.usefixtures("_unchecked")
@pytest.mark.parametrize("what", BROKEN)
def test_a_damaged_folder_is_passed_by(offered: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """F4: an empty folder, or a file of its name, hid the catalogue."""
    update(fetch_from(offered), KEY)
    folder = places.fetched() / NEXT
    BROKEN[what](folder)
    forget()
    assert main(["catalog", "show", "RTX 5090", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["catalogue"] == RELEASE
    assert len(captured.err.splitlines()) == 1
    assert f"{folder} is not used" in captured.err
    assert "gyakusan catalog update --built-in" in captured.err
    assert main(["catalog", "update", "--built-in"]) == 0
    capsys.readouterr()
    forget()
    assert main(["catalog", "show", "RTX 5090"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("_unchecked")
def test_another_folder_with_the_files_of_a_release(offered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    update(fetch_from(offered), KEY)
    shutil.move(places.fetched() / NEXT, places.fetched() / LATER)
    (places.fetched() / LATER / "rates.toml").write_text("")
    kept_releases.choose(LATER)
    assert in_use() == RELEASE
    main(["catalog", "sources"])
    assert "its folder has another date" in capsys.readouterr().err


@pytest.mark.usefixtures("_unchecked")
def test_files_that_changed_are_written_anew(offered: Path) -> None:
    update(fetch_from(offered), KEY)
    folder = places.fetched() / NEXT
    (folder / "rates.toml").write_text("[[rate]]\n")
    assert in_use() == NEXT
    assert (folder / "rates.toml").read_bytes() == (places.DATA / "rates.toml").read_bytes()


@pytest.mark.usefixtures("_unchecked")
def test_a_damaged_compiled_file_is_written_anew(offered: Path) -> None:
    update(fetch_from(offered), KEY)
    (places.fetched() / NEXT / "catalogue.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert in_use() == NEXT


@pytest.mark.usefixtures("_unchecked")
def test_a_damaged_release_is_replaced(offered: Path) -> None:
    update(fetch_from(offered), KEY)
    emptied(places.fetched() / NEXT)
    assert in_use() == RELEASE
    assert update(fetch_from(offered), KEY) == (NEXT, True, NEXT)
    assert in_use() == NEXT
    a_file(places.fetched() / NEXT)
    assert in_use() == RELEASE
    assert update(fetch_from(offered), KEY) == (NEXT, True, NEXT)
    assert sorted(os.listdir(places.fetched())) == [NEXT, "chosen"]


def test_nowhere_to_write(offered: Path, home: Path) -> None:
    (home / "data").write_text("")
    with pytest.raises(SourceError, match="cannot be written"):
        update(fetch_from(offered), KEY)
    with pytest.raises(SourceError, match="cannot be written"):
        kept_releases.choose(kept_releases.BUILT_IN)
    assert kept_releases.back.__name__ == "back"
    assert in_use() == RELEASE
