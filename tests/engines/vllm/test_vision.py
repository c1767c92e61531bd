"""What vLLM measures of the part that reads images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gyakusan.core.model import Checkpoint
from gyakusan.engines.vllm import vision
from gyakusan.engines.vllm.profile import NOTHING, activation
from gyakusan.engines.vllm.settings import Settings
from gyakusan.models import load

SEEING = Settings(32768, max_num_batched_tokens=8192, max_num_seqs=4, vision_bytes=1 << 30)


def test_text_alone_measures_none() -> None:
    assert vision.compute(load("qwen3-8b"), Settings(8192)) is NOTHING


def test_a_checkpoint_with_an_encoder_is_seen() -> None:
    model = replace(load("gemma3-27b", "BF16"), checkpoint=Checkpoint(encoders=400_000_000))
    assert vision.compute(model, Settings(8192)).best > 0


def test_the_larger_peak_counts_once_and_vectors_are_kept() -> None:
    model = load("qwen3-vl-30b-a3b")
    found, text = vision.compute(model, SEEING), activation(model, SEEING)
    kept = 16384 * 2048 * 2 * 4
    assert found.best == pytest.approx(65536 * 1152 * 2 * 20 - text.best + kept)
    assert found.low <= found.best <= found.high


def test_small_images_are_read_together() -> None:
    """Gemma 3 has 256 tokens for an image: a batch of 8,192 tokens holds 32 of them, 4 requests four."""
    model = load("gemma3-27b")
    few, many = (
        vision.compute(model, Settings(8192, max_num_batched_tokens=8192, max_num_seqs=n, vision_bytes=1))
        for n in (4, 64)
    )
    assert many.high > 6 * few.high


def test_numbers_broadcast() -> None:
    model, tokens = load("gemma3-27b"), np.array([2048, 8192])
    found = vision.compute(model, Settings(8192, max_num_batched_tokens=tokens, vision_bytes=1))
    for i, n in enumerate(tokens):
        one = vision.compute(model, Settings(8192, max_num_batched_tokens=int(n), vision_bytes=1))
        assert (found.low[i], found.best[i], found.high[i]) == (one.low, one.best, one.high)
