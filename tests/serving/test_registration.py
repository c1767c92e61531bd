"""A server is written down under its name, under another one where that will do, and with what it reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from gyakusan.engines.llamacpp.log import Reported
from gyakusan.engines.server import ReportedBuffer
from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving import running_servers
from gyakusan.serving.buffer_comparison import BufferComparison
from gyakusan.serving.live import Live, read_live
from gyakusan.serving.registration import Registration, rows_of
from gyakusan.serving.running_servers import Reservation, RunningServer

ENTRY = RunningServer(name="office", url="", ready=False)
ROW = BufferComparison("weights", "host", 101.0, 100.0, 1.0, 0.01, (ReportedBuffer("CPU", "weights", 100.0, "x", 2.0),))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "gyakusan" / "servers"


def test_from_the_address_to_the_end(folder: Path) -> None:
    made = Registration(ENTRY, lambda: Live(requests=3))
    made.opened("http://127.0.0.1:1/v1", "", Path("/k"))
    assert running_servers.running() == (made.entry,)
    assert (made.entry.key_file, made.entry.ready) == ("/k", False)
    made.ready([ROW, BufferComparison("kv_cache", "gpu0", None, 5.0, None, None)], Reported(build=7))
    (found,) = running_servers.running()
    assert (found.ready, found.version) == (True, "b7")
    first, second = rows_of(found)
    assert first.exact
    assert (first.error_bytes, first.error_share) == (1.0, 0.01)
    assert (second.predicted, second.error_bytes, second.exact) == (None, None, False)
    made.end()
    assert [p.name for p in folder.iterdir()] == []
    assert read_live(running_servers.live_path("office")) is None


@pytest.mark.parametrize("keyed", [True, False])
def test_whether_people_with_keys_are_let_in_is_written_down(keyed: bool) -> None:
    made = Registration(ENTRY, Live, people_keys=keyed)
    made.opened("http://127.0.0.1:1/v1", "", None)
    assert [e.people_keys for e in running_servers.running()] == [keyed]
    made.end()


def test_another_name_where_nobody_asked_for_it() -> None:
    first, second = (Registration(ENTRY, Live, by_the_way=True) for _ in range(2))
    first.opened("http://127.0.0.1:1/v1", "", None)
    second.opened("http://127.0.0.1:2/v1", "", None)
    assert [e.name for e in running_servers.running()] == ["office", "office-2"]
    with pytest.raises(BadSetting, match="runs already"):
        Registration(ENTRY, Live).opened("http://127.0.0.1:3/v1", "", None)
    first.end()
    second.end()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "gyakusan").write_text("a file")
    with pytest.raises(ServerError, match="cannot be written"):
        Registration(ENTRY, Live).opened("http://127.0.0.1:1/v1", "", None)
    made = Registration(ENTRY, Live, by_the_way=True)
    made.opened("http://127.0.0.1:1/v1", "", None)
    made.ready([ROW], Reported())
    made.end()


def test_two_starts_at_one_moment_get_two_names(folder: Path) -> None:
    first, second = Reservation("Small Model"), Reservation("Small Model")
    assert (first.name, second.name) == ("small-model", "small-model-2")
    first.release()
    third = Reservation("Small Model")
    assert third.name == "small-model"
    third.release()
    second.release()
    assert list(folder.iterdir()) == []


def test_a_reservation_ends_with_its_process(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "small.reserved").write_text("999999999 long ago")
    assert Reservation("small").name == "small"
    (folder / "other.reserved").write_text("")  # being written now
    assert Reservation("other").name == "other-2"


def test_a_reservation_needs_its_folder(tmp_path: Path) -> None:
    (tmp_path / "gyakusan").write_text("a file")
    with pytest.raises(ServerError, match="cannot be written"):
        Reservation("small")


def test_an_entry_of_another_computer_is_left_alone(folder: Path) -> None:
    theirs = structs.replace(running_servers.here(ENTRY), computer="elsewhere", pid=1, process_start="boot-of-theirs 5")
    running_servers.claim(theirs)
    assert running_servers.running() == ()
    assert (folder / "office.json").exists(), "it may run there"
    assert running_servers.free_name("office") == "office-2"
    with pytest.raises(BadSetting, match=r"runs on elsewhere.*--name; if that computer is gone, remove .*office\.json"):
        running_servers.claim(running_servers.here(ENTRY))
