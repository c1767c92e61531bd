"""What is expected of a model that nobody tested: by size, age and maker."""

from __future__ import annotations

from gyakusan.catalog import quality
from gyakusan.catalog.quality_names import (
    traits,
)


def test_bigger_and_newer_is_expected_to_be_better() -> None:
    sizes = [
        quality.assumed("acme/model", "off", parameters=p, released="2026-01").overall.value
        for p in (1e9, 8e9, 32e9, 120e9)
    ]
    dates = [
        quality.assumed("acme/model", "off", parameters=8e9, released=d).overall.value
        for d in ("2024-01", "2025-06", "2026-06")
    ]
    assert sizes == sorted(sizes)
    assert dates == sorted(dates)


def test_what_is_unknown_widens_the_error() -> None:
    known = quality.assumed("Qwen/Qwen4-8B", "on", parameters=8e9, released="2026-09")
    dateless = quality.assumed("Qwen/Qwen-8B-undated", "on", parameters=8e9)
    stranger = quality.assumed("acme/model-8b", "on", parameters=8e9, released="2026-09")
    assert traits("Qwen/Qwen-8B-undated", "on").released is None
    assert known.overall.error < stranger.overall.error
    assert known.overall.error < dateless.overall.error
    assert quality.assumed("acme/model", "off", parameters=0.3e9).overall.error > stranger.overall.error


def test_experts_count_by_what_is_used() -> None:
    dense = quality.assumed("acme/model", "off", parameters=30e9, released="2026-01")
    sparse = quality.assumed("acme/model", "off", parameters=30e9, active=3e9, released="2026-01")
    assert sparse.overall.value < dense.overall.value
