"""gyakusan inspect: what a model needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from tests.screens.conftest import Screen

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

SCREENS = {
    "name": "inspect gpt-oss-20b --device 'RTX 4090'",
    "context and users": "inspect qwen3-8b --quant Q4_K_M --device 'RTX 4090' --context 32k --users 4",
    "why": "inspect gpt-oss-20b --quant MXFP4 --context 131072 --device 'RTX 4090' --why",
    "why, windows": "inspect gemma3-12b --quant Q4_K_M --context 16k --users 2 --device 'RTX 5090' --why",
    "why, recurrent": "inspect qwen3-next-80b-a3b --quant Q4_K_M --context 16k --device 'RTX PRO 6000' --why",
    "why, latent": "inspect deepseek-v3 --quant Q4_K_M --context 16k --device 'M3 Ultra 512GB' --why",
    "file": "inspect tiny.gguf --device 'RTX 4090' --why",
    "all engines": "inspect gpt-oss-20b --device 'M4 Max 128GB' --context 8k --engine all",
    "all engines on a card": "inspect qwen3-8b --device 'RTX 5090' --context 8k --users 2 --engine all",
    "vllm": "inspect qwen3-8b --device 'RTX 5090' --engine vllm --why",
    "vllm, two cards": "inspect qwen3-32b --device '2x RTX 5090' --engine vllm --users 4 --context 16k --why",
    "mlx": "inspect qwen3-8b --device 'M4 Max 128GB' --engine mlx --why",
    "ollama": "inspect qwen3:14b --device 'RTX 4090' --engine ollama --set num_parallel=4 --offline --why",
    "refused": "inspect gpt-oss-20b --device 'RTX 5090' --engine mlx",
    "two cards": "inspect qwen3-14b --quant Q4_K_M --device '2x RTX 3060 12GB' --context 16k --why",
    "unified": "inspect gpt-oss-120b --device 'Ryzen AI Max+ 395 128GB' --context 32k --why",
    "reserve": "inspect gpt-oss-20b --device 'M4 Max 128GB' --reserve 8GiB",
    "cpu": "inspect qwen3-8b --quant Q4_K_M --cpu --context 8k --bandwidth 80GB/s --why",
    "memory alone": "inspect qwen2.5-14b --memory 16GiB",
    "this computer": "inspect qwen3-8b --quant Q8_0",
    "does not fit": "inspect qwen2.5-72b --device 'RTX 4090'",
    "embedding": "inspect bge-m3 --device 'RTX 4090'",
    "cache of 8 bits": "inspect qwen3-8b --device 'RTX 4090' --kv-type q8_0 --context 64k --unified --users 8",
    "experts in RAM": "inspect qwen3-30b-a3b --quant Q4_K_M --device 'RTX 4060' --set n_cpu_moe=40",
}
DOCUMENTS = {
    "name": "inspect gpt-oss-20b --device 'RTX 4090'",
    "file": "inspect tiny.gguf --device 'RTX 4090'",
    "all engines": "inspect gpt-oss-20b --device 'M4 Max 128GB' --context 8k --engine all",
    "vllm": "inspect qwen3-8b --device 'RTX 5090' --engine vllm",
    "refused": "inspect gpt-oss-20b --device 'RTX 5090' --engine mlx",
    "two cards": "inspect qwen3-14b --quant Q4_K_M --device '2x RTX 3060 12GB' --context 16k",
    "cpu": "inspect qwen3-8b --quant Q4_K_M --cpu --context 8k --bandwidth 80GB/s",
    "does not fit": "inspect qwen2.5-72b --device 'RTX 4090'",
    "embedding": "inspect bge-m3 --device 'RTX 4090'",
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SCREENS.values(), ids=SCREENS)
def test_screen(words: str, language: str, screen: Screen, snapshot: SnapshotAssertion) -> None:
    assert screen(words, language) == snapshot


SHORT = {name: words for name, words in SCREENS.items() if "--why" not in words}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", SHORT.values(), ids=SHORT)
def test_one_screen(words: str, language: str, printed: Screen) -> None:
    """At most 24 lines of at most 80 cells, with what comes next on a terminal; nothing cut, no stop begins a line."""
    _, *lines = printed(words, 80, language).splitlines()
    assert len(lines) + 2 <= 24
    for line in lines:
        assert cell_len(line) + line.count("±") <= 80
        assert line == line.rstrip()
        assert not line.lstrip().startswith(tuple("、。」)"))
        assert "…" not in line


@pytest.mark.parametrize("words", DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(words: str, document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(words) == snapshot


def test_document_in_japanese(document: Screen, snapshot: SnapshotAssertion) -> None:
    assert document(DOCUMENTS["two cards"], "ja") == snapshot


def test_colours(printed: Screen, snapshot: SnapshotAssertion) -> None:
    assert printed(f"{SCREENS['does not fit']} --color").replace("\x1b", "<esc>") == snapshot
