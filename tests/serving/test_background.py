"""A server in the background: its log has room, its words are a list, and its reason is found where it did not start."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from gyakusan.errors import ServerError
from gyakusan.serving import background
from gyakusan.serving.background import Named, check_log, last_words, with_name


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["serve", "m", "--detach", "--json"], ["serve", "m", "--name", "x"]),
        (["serve", "--context=1", "--", "m"], ["serve", "--name", "x", "--context=1", "--", "m"]),
    ],
)
def test_a_command_gets_a_name(words: list[str], command: list[str]) -> None:
    assert with_name(words, "x") == command


def test_the_last_thing_that_was_said(tmp_path: Path) -> None:
    named = Named("x", tmp_path / "log")
    named.log.write_text("gyakusan: first\nload\ngyakusan: last\nend\n")
    assert last_words(named) == "last"
    named.log.write_text("nothing of ours\n")
    assert last_words(named) == ""


def test_room_for_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a log may take no new file where the log itself can be written; a disk may take a part only."""
    log = tmp_path / "mine.log"
    log.touch()
    background._check_room(log)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.log"]

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            return 1000

    monkeypatch.setattr(background.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(OSError, match="No space left"):
        background._check_room(log)

    def closed(**_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(background.tempfile, "TemporaryFile", closed)
    background._check_room(log)


def test_a_disk_that_is_full_later(tmp_path: Path) -> None:
    """A server that ended and said nothing, whose log takes nothing any more."""
    named = Named("office", Path("/dev/full"), own=True)
    with pytest.raises(
        ServerError, match=r"The log file /dev/full cannot be written: No space left on device\. Choose another file"
    ):
        check_log(named)
    check_log(Named("office", tmp_path / "log"))
