"""A home of one's own: no test sees the records of whoever runs it, and what a test adds is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from tests.catalog.releases import offer

from gyakusan.catalog import check, devices, models, origins, records, release

CACHES = (
    records._compiled, records._database,
    devices._every_name, models._record, origins.source_records,
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home; lookups start afresh before and after."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    _forget()
    yield tmp_path
    _forget()


def _forget() -> None:
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def in_2030(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day on which the releases of these tests have come."""
    monkeypatch.setattr(release, "today", lambda: date(2030, 3, 1))


@pytest.fixture
def offered(home: Path) -> Path:
    """A folder with a newer release."""
    return offer(home / "offered")


@pytest.fixture
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records need no check where only folders matter: 2 s for each release."""
    monkeypatch.setattr(check, "check", lambda folder: 0)
