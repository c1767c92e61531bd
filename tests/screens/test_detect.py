"""gyakusan detect: every recorded computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.machines.boxes import NAMES
from tests.screens.conftest import Computer, Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", NAMES)
def test_screen(name: str, language: str, computer: Computer, screen: Screen, snapshot: SnapshotAssertion) -> None:
    computer(name)
    assert screen("detect", language) == snapshot


@pytest.mark.parametrize("name", ["two_rtx3090", "strix_halo_gtt", "m4_max_128"])
def test_document(name: str, computer: Computer, document: Screen, snapshot: SnapshotAssertion) -> None:
    computer(name)
    assert document("detect") == snapshot
