"""Scores that two models share: of one reporter and one harness."""

from __future__ import annotations

from gyakusan.catalog.quality_shared import shared_items


def test_shared_items_of_one_reporter_and_one_harness() -> None:
    same = shared_items("qwen3.8-27b", "qwen3.6-27b")
    assert same is not None
    assert (same.better, same.worse, same.of, same.reporter, same.own) == (9, 0, 9, "Qwen", True)
    back = shared_items("qwen3.6-27b", "qwen3.8-27b")
    assert back is not None
    assert (back.better, back.worse) == (0, 9)
    other = shared_items("gemma-3-27b-it", "qwen3-32b")
    assert other is not None
    assert (other.of, other.own, other.modes) == (30, False, ("off", "on"))
    assert shared_items("qwen3-coder-next", "gpt-oss-120b") is None
    assert shared_items("qwen3-coder-next", "nobody/nothing") is None
