"""Every recorded row is held to what we promise: bytes that are exact, and scratch within its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.memory_accuracy import TRUTH, accuracy, judge, model_of, read_meta, rows, summary

META = TRUTH / "gguf_meta.json.gz"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return accuracy(TRUTH / "llamacpp_b11434.jsonl.gz", META)


@pytest.fixture(scope="module")
def wide() -> dict[str, Any]:
    return accuracy(TRUTH / "llamacpp_archs.jsonl.gz", META)


def test_every_row_is_priced(report: dict[str, Any], wide: dict[str, Any]) -> None:
    assert (report["rows"], report["unsupported"]) == (1905, 0)
    assert (wide["rows"], wide["unsupported"]) == (5555, 0)


def test_weights_and_context_are_exact(report: dict[str, Any], wide: dict[str, Any]) -> None:
    for found in (report, wide):
        assert found["weights"]["exact"] == found["context"]["exact"] == found["rows"]


@pytest.mark.parametrize(
    ("kind", "figure", "bound"),
    [
        ("f16", "max", 0.0025),
        ("quantised KV", "p95", 0.05),
        ("hybrid", "p95", 0.05),
        ("no flash attention", "p95", 0.02),
    ],
)
def test_scratch(report: dict[str, Any], kind: str, figure: str, bound: float) -> None:
    assert report["by"]["kind"][kind]["compute"][figure] <= bound


def test_total_is_always_within_half_a_percent(report: dict[str, Any]) -> None:
    assert report["total"]["max"] <= 0.005


def test_a_wrong_figure_would_be_seen() -> None:
    """The judge itself: a row whose truth is changed is no longer exact."""
    meta = read_meta(META)
    row = next(r for r in rows(TRUTH / "llamacpp_b11434.jsonl.gz") if r["model"] == "qwen2.5-0.5b")
    model = model_of(meta, row["model"], row["quant"])
    assert summary([judge(row, model)])["weights"]["exact"] == 1
    changed = {**row, "weights": row["weights"] + 32}
    assert summary([judge(changed, model)])["weights"]["exact"] == 0


def test_unknown_models_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"model": "nothing", "quant": "Q4_K_M", "backend": "cpu", "n_ctx": 4096}\n')
    found = accuracy(path, META)
    assert (found["rows"], found["unsupported"]) == (0, 1)
