"""Help of every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

COMMANDS = (
    *("", "inspect", "compare", "plan", "upgrade", "fleet", "detect", "get", "serve", "ps", "logs", "stop"),
    *("chat", "connect", "demo", "calibrate", "calibrate export", "calibrate import"),
    *("catalog", "catalog list", "catalog show", "catalog add", "catalog check", "catalog update", "catalog sources"),
    *("accuracy", "accuracy memory", "accuracy speed"),
)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words or "gyakusan")
def test_help(command: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(f"{command} --help".strip(), language) == snapshot
