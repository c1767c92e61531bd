"""gyakusan catalog: lists, records, sources, and records of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from tests.catalog.some import DEVICE
from tests.screens.conftest import Screen

from gyakusan.catalog.models import model_records

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SCREENS = {
    "devices": "catalog list --search 'rtx 50'",
    "machines": "catalog list machines",
    "models": "catalog list models --search qwen3 --all",
    "models in Japanese": "catalog list models --language ja",
    "embeddings": "catalog list embeddings",
    "nothing": "catalog list machines --search 'no such thing'",
    "a device": "catalog show 'RTX 5090'",
    "a machine": "catalog show 'DGX Spark'",
    "a model": "catalog show qwen2.5:14b",
    "an embedding model": "catalog show bge-m3",
    "sources": "catalog sources",
    "check a file": "catalog check mine.toml",
    "a bad file": "catalog check bad.toml",
    "update": "catalog update",
}
DOCUMENTS = {
    "devices": "catalog list --search 'rtx 509'",
    "machines": "catalog list machines --search spark",
    "models": "catalog list models --search qwen3-3",
    "embeddings": "catalog list embeddings --search bge",
    "a device": "catalog show 'RTX 5090'",
    "a machine": "catalog show 'DGX Spark'",
    "a model": "catalog show qwen2.5:14b",
    "an embedding model": "catalog show bge-m3",
    "sources": "catalog sources",
    "add": "catalog add mine.toml",
}


@pytest.fixture(autouse=True)
def records(somewhere: Path) -> None:
    """The files of records that the words name."""
    (somewhere / "mine.toml").write_text(DEVICE)
    (somewhere / "bad.toml").write_text(DEVICE.replace("bandwidth_gb_s", "bandwidth_gib_s"))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot


@pytest.mark.parametrize("language", ["en", "ja"])
def test_models_are_a_table_of_whole_names(language: str, printed: Screen) -> None:
    """At 80 columns: a head, then a line for each model, none of them wider."""
    head, *rows = printed("catalog list models --all", 80, language).splitlines()[1:]
    assert len(re.split(r"\s{2,}", head.strip())) == 5
    found = {row.split()[0] for row in rows}
    assert {r.name for r in model_records()} <= found
    assert [row for row in (head, *rows) if cell_len(row) > 80 or "…" in row] == []
