"""gyakusan fleet: many machines for many people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SCREENS = {
    "users": "fleet --users 50 --budget 5000000JPY --families gemma3 --engine llama.cpp",
    "arrivals and an API": (
        "fleet --arrivals 2000/h --budget 5000000JPY --families gpt-oss --engine vllm"
        " --api-input 0.15USD --api-output 0.6USD"
    ),
    "own machines": "fleet --users 16 --device '4x RTX 4090' --model qwen3-235b-a22b --engine vllm --price 3000000JPY",
    "terms": (
        "fleet --users 8 --device 'RTX 4090' --replicas 3 --months 48 --tariff 20JPY/kWh --pue 1.2 --hours 8"
        " --upkeep 5 --families gemma3 --engine llama.cpp"
    ),
    "no answer": "fleet --users 50 --budget 1000JPY --families gemma3 --engine llama.cpp",
    "no price": "fleet --users 2 --memory 24GiB --families gemma3 --engine llama.cpp",
}
DOCUMENTS = {
    "arrivals and an API": SCREENS["arrivals and an API"],
    "own machines": SCREENS["own machines"],
    "no answer": SCREENS["no answer"],
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot
