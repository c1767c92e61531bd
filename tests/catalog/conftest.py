"""A home of one's own: no test sees the records of whoever runs it, and what a test adds is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gyakusan.catalog import devices, models, origins, records

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
