"""gyakusan plan: the best endpoint, its alternatives, and why not another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

FEW = "--families qwen3,gemma3,gpt-oss"
SCREENS = {
    "box": "plan --device 'RTX 4090' --users 2",
    "this computer": f"plan {FEW}",
    "budget": f"plan --budget 500000JPY --users 2 --engine llama.cpp {FEW}",
    "dollars": "plan --budget 3000USD --used --brand NVIDIA --engine vllm --families qwen3",
    "unified": f"plan --device 'M4 Max 128GB' --context 32k {FEW}",
    "all": "plan --device 'RTX 4060' --families gemma3 --all",
    "largest": "plan --device 'RTX 3090' --families gemma3 --max",
    "why not a model": f"plan --device 'RTX 3060 12GB' --why-not Qwen3-32B {FEW}",
    "why not an engine": f"plan --device 'RTX 4090' --why-not vllm {FEW}",
    "why not a device": "plan --budget 300000JPY --families gemma3 --engine llama.cpp --why-not 'RTX 5090'",
    "what if": "plan --device 'RTX 4090' --families gemma3 --what-if",
    "also": "plan --device 'RTX 4090' --also coding:users=2,context=16k --also embedding",
    "also, too large": "plan --device 'RTX 3060 12GB' --also chat:model=llama3.3-70b",
    "arrivals": "plan --device 'RTX 5090' --arrivals 200/h --families qwen3",
    "no answer": "plan --memory 8GiB --context 10000000",
    "no answer for the money": "plan --budget 1000JPY --engine llama.cpp --families qwen3",
    "floors": "plan --device 'DGX Spark' --task coding --speed 30 --quality 40 --first 5",
    "no floor holds": "plan --device 'RTX 3060 12GB' --speed 500 --quality 60",
    "model": "plan --model qwen3-32b --budget 1000000JPY --task agents --engine llama.cpp",
    "japanese text": f"plan --device 'RTX 4090' --language ja --task translation --prefer quality {FEW}",
    "cpu": "plan --device 'Ryzen AI Max+ 395 128GB' --families llama3.1,qwen3 --kv-type f16,q8_0",
    "offload": "plan --device 'RTX 3060 12GB' --ram 64GiB --context 32k",
    "several servers": "plan --device '8x H100 80GB HBM3' --users 50 --task coding",
    "what to buy in yen": "plan --budget 1000000JPY --users 5 --context 32k --language ja",
    "little money": "plan --budget 100000JPY",
    "csv": "plan --device 'RTX 4060' --families gemma3 --csv",
}
LONG = ("all", "csv", "also", "also, too large", "largest")
"""Screens that may be longer."""
DOCUMENTS = {
    "box": "plan --device 'RTX 4090' --users 2 --families gemma3-12b",
    "budget": "plan --budget 500000JPY --users 2 --engine llama.cpp --brand Apple --families gemma3-12b",
    "all": "plan --device 'RTX 4060' --families gemma3-12b --all",
    "largest": "plan --device 'RTX 3090' --families gemma3-12b --max",
    "why not": "plan --device 'RTX 3060 12GB' --why-not Qwen3-32B --families qwen3-8b,qwen3-32b",
    "what if": "plan --device 'RTX 4090' --families gemma3-12b --what-if",
    "also": "plan --device 'RTX 4090' --also embedding --families gemma3-12b",
    "arrivals": "plan --device 'RTX 5090' --arrivals 200/h --families gemma3-12b",
    "vllm": "plan --device '2x RTX 5090' --engine vllm --families qwen3-8b",
    "no answer": "plan --memory 8GiB --context 10000000 --families gemma3-12b",
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot


NUMBERED = {
    "details": "plan --details 1",
    "command": "plan --command 2",
    "every flag": "plan --command 1 --all-flags --no-ui",
    "compose": "plan --compose 1 --lan",
    "systemd": "plan --systemd 1 --lan",
    "no such plan": "plan --command 999",
    "two at once": "plan --command 1 --details 1",
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", NUMBERED.values(), ids=NUMBERED)
def test_a_plan_by_its_number(
    words: str, language: str, screen: Screen, printed: Screen, snapshot: SnapshotAssertion
) -> None:
    printed(SCREENS["box"])
    assert screen(words, language) == snapshot


def test_a_number_without_an_answer(screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen("plan --command 1", "en") == snapshot


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    "words", [w for n, w in SCREENS.items() if n not in LONG], ids=[n for n in SCREENS if n not in LONG]
)
def test_an_answer_is_one_screen(words: str, language: str, printed: Screen) -> None:
    """At most 24 lines at 80 columns, none cut, none wider, none that begins with what ends a sentence."""
    rows = printed(words, 80, language).splitlines()[1:]
    assert len(rows) <= 24
    assert [r for r in rows if cell_len(r) > 80 or "…" in r or r.lstrip()[:1] in tuple("、。」)")] == []


def test_colours(printed: Screen, snapshot: SnapshotAssertion) -> None:
    assert printed(f"{SCREENS['all']} --color").replace("\x1b", "<esc>") == snapshot
