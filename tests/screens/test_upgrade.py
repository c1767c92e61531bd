"""gyakusan upgrade: what to buy next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SCREENS = {
    "options": "upgrade --device 'RTX 3060 12GB' --families llama3.1,gemma3-12b --budget 200000JPY --resale 30000JPY",
    "keep": "upgrade --device 'RTX 3060 12GB' --families qwen3 --budget 1JPY",
}
DOCUMENTS = SCREENS


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot
