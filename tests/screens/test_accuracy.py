"""gyakusan accuracy: how right we are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SCREENS = {"memory": "accuracy memory", "one engine": "accuracy memory --engine vllm", "speed": "accuracy speed"}
DOCUMENTS = {"one engine": "accuracy memory --engine mlx", "speed": "accuracy speed"}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot
