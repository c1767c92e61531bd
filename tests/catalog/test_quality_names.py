"""Names of models: what scores they find, sizes, efforts."""

from __future__ import annotations

import pytest

from gyakusan.catalog import quality
from gyakusan.catalog.quality_names import (
    default_mode,
    sizes_in,
)


def test_names_of_boards_are_names_of_the_hub() -> None:
    assert quality.repositories("qwen-3-swallow-8b-rl-v0.2") == quality.repositories(
        "tokyotech-llm/Qwen3-Swallow-8B-RL-v0.2"
    )
    assert quality.find("tokyotech-llm/Qwen3-Swallow-8B-CPT-v0.2")[0].scores


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [("qwen3-30b-a3b", 30e9, 3e9), ("mixtral-8x7b-instruct-v0.1", 8 * 7e9 * 0.87, 2 * 7e9 * 0.87),
     ("gemma-3-270m-it", 270e6, None), ("phi-4", None, None),
     ("gemma-4-e4b-it", 4e9, None), ("llama-3.1-8b-instruct", 8e9, None)],
)  # fmt: skip
def test_sizes_in_names(name: str, total: float | None, active: float | None) -> None:
    assert sizes_in(name) == (total, active)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("Qwen/Qwen3-8B", "on"), ("Qwen/Qwen3-4B-Instruct-2507", "off"), ("openai/gpt-oss-20b", "on"),
     ("google/gemma-3-27b-it", "off"), ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "off"), ("deepseek-ai/DeepSeek-R1", "on"),
     ("meta-llama/Llama-3.3-70B-Instruct", "off")],
)  # fmt: skip
def test_modes_by_default(name: str, mode: str) -> None:
    assert default_mode(name) == mode
