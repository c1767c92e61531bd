"""gyakusan compare: devices, models and whole plans beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SCREENS = {
    "guide": "compare 'RTX 5090' 'M4 Max 128GB' 'DGX Spark' 'Ryzen AI Max+ 395' --model llama3.1-8b --model qwen2.5-14b",
    "does not fit": "compare 'RTX 4090' 'DGX Spark' --model llama3.1-70b",
    "users": "compare 'RTX 4090' '2x RTX 3090' --model qwen3-32b --quant Q4_K_M --users 4 --context 16k",
    "plans": "compare --plan office.toml --plan lab.toml 'M4 Max 128GB' --model gpt-oss-20b",
    "no plan": "compare --plan none.toml",
}
DOCUMENTS = {
    "guide": "compare 'RTX 5090' 'DGX Spark' --model llama3.1-8b --model llama3.1-405b",
    "plans": "compare --plan office.toml --plan lab.toml",
}


@pytest.fixture(autouse=True)
def questions(somewhere: Path) -> None:
    """The files of questions that the words name."""
    few = 'users = 5\ncontext = "16k"\nfamilies = "gemma3,gpt-oss"\n'
    (somewhere / "office.toml").write_text('budget = "600000JPY"\nengines = "llama.cpp"\n' + few)
    (somewhere / "lab.toml").write_text('device = "DGX Spark"\n' + few)
    (somewhere / "none.toml").write_text('device = "RTX 3060 12GB"\nmodel = "llama3.1-405b"\n')


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot
