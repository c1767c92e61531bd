"""What a server does now, written down and read again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gyakusan.serving import live
from gyakusan.serving.live import Live, Rate, Teller, read_live


def test_a_rate_is_of_the_last_seconds() -> None:
    now = [0.0]
    rate = Rate(10.0, lambda: now[0])
    assert rate.of(100) == 0.0
    now[0] = 5.0
    assert rate.of(150) == 10.0
    now[0] = 20.0
    assert rate.of(150) == 0.0
    now[0] = 22.0
    assert rate.of(350) == pytest.approx(200 / 17)


def test_it_is_written_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.02)
    path = tmp_path / "office.live"
    counted = [0]

    def look() -> Live:
        counted[0] += 1
        return Live(written=time.time(), requests=counted[0])

    teller = Teller(path, look)
    end = time.monotonic() + 5
    while counted[0] < 3 and time.monotonic() < end:
        time.sleep(0.01)
    monkeypatch.setattr(live, "EVERY", 2.0)
    found = read_live(path)
    assert found is not None
    assert found.requests >= 2
    assert path.stat().st_mode & 0o777 == 0o600
    teller.end()
    assert not path.exists()
    assert read_live(path) is None


def test_what_changes_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gyakusan status` told the figures of before a request, for up to two seconds after it."""
    monkeypatch.setattr(live, "EVERY", 1000.0)
    path, requests = tmp_path / "office.live", [0]
    teller = Teller(path, lambda: Live(written=time.time(), requests=requests[0]))

    def told() -> int:
        found = read_live(path)
        return -1 if found is None else found.requests

    for n in range(3):
        requests[0] = n
        teller.changed()
        end = time.monotonic() + 20
        while told() != n and time.monotonic() < end:
            time.sleep(0.01)
        assert told() == n
    teller.end()


def test_what_is_old_or_broken_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "x.live"
    path.write_text('{"written": 1.0, "requests": 5}')
    assert read_live(path) is None
    path.write_text("{")
    assert read_live(path) is None


def test_a_full_disk_is_no_reason_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.01)
    counted = [0]

    def look() -> Live:
        counted[0] += 1
        return Live()

    teller = Teller(tmp_path / "gone" / "x.live", look)
    end = time.monotonic() + 5
    while counted[0] < 3 and time.monotonic() < end:
        time.sleep(0.01)
    teller.end()
    assert counted[0] >= 3
