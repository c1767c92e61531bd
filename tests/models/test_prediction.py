"""Prediction blocks of records that were made of a file without them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gyakusan.core.model import block_of
from gyakusan.models import load
from gyakusan.models.prediction import predicted_blocks, with_blocks


@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q8_0", "BF16"])
def test_they_are_those_of_a_sibling_whose_file_has_them(quantization: str) -> None:
    """The published Qwen3.6-27B files with MTP have 866 tensors and 65 blocks, as Qwen3.8-27B's."""
    found, sibling = with_blocks(load("qwen3.6-27b", quantization)), load("qwen3.8-27b", quantization)
    assert found is not None
    assert (len(found.tensors), found.blocks, found.loaded) == (866, 65, 64)
    mine, theirs = ({t.name: (t.shape, t.type) for t in m.tensors if block_of(t.name) == 64} for m in (found, sibling))
    assert mine == theirs
    assert found.memory == load("qwen3.6-27b", quantization).memory


def test_a_model_that_has_them_stays_as_it_is() -> None:
    model = load("qwen3.8-27b")
    assert with_blocks(model) is model
    assert predicted_blocks(model) == 1


@pytest.mark.parametrize(
    ("name", "file", "checkpoint"),
    [("qwen3.5-9b", True, True), ("qwen3.5-35b-a3b", True, True), ("glm-4.6", True, True), ("qwen3-next-80b", False, True),
     ("deepseek-v3", False, True), ("glm-4.7-flash", False, True), ("kimi-k2", False, False), ("qwen3-8b", False, False),
     ("solar-open-100b", False, False), ("deepseek-v2-lite", False, False)],
)  # fmt: skip
def test_lines_that_predict(name: str, file: bool, checkpoint: bool) -> None:
    model = load(name)
    assert (with_blocks(model) is not None, with_blocks(model, checkpoint=True) is not None) == (file, checkpoint)


def test_a_file_has_what_it_has() -> None:
    assert with_blocks(replace(load("qwen3.6-27b"), source="./Qwen3.6-27B.gguf")) is None
