"""The benchmarks of MLX-LM's caches and of Ollama's tags: what they say, and that a wrong figure would be seen."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from benchmarks.memory_accuracy import TRUTH

from benchmarks import mlx_accuracy, ollama_accuracy


def test_mlx_caches_are_exact() -> None:
    found = mlx_accuracy.accuracy(TRUTH / "mlx_cache.json.gz")
    assert found["rows"] >= 200
    assert found["prompt"]["exact"] == found["answer"]["exact"] == found["rows"]
    assert len(found["by"]["architecture"]) >= 20


def test_a_wrong_cache_would_be_seen(tmp_path: Path) -> None:
    recorded = json.loads(gzip.decompress((TRUTH / "mlx_cache.json.gz").read_bytes()))
    row = next(r for r in recorded["rows"] if "tokens" in r and "refused" not in r)
    name = next(iter(row["prompt"]))
    changed = {**row, "prompt": {**row["prompt"], name: row["prompt"][name] * 2}}
    path = tmp_path / "rows.json.gz"
    path.write_bytes(gzip.compress(json.dumps({**recorded, "rows": [row, changed]}).encode()))
    found = mlx_accuracy.accuracy(path)
    assert (found["rows"], found["prompt"]["exact"]) == (2, 1)
    assert found["prompt"]["max"] > 0.2


def test_tags_weigh_what_is_listed() -> None:
    found = ollama_accuracy.accuracy(TRUTH / "ollama_sizes.json")
    assert found["rows"] >= 250
    assert found["weights"]["exact"] >= 0.9 * found["rows"]
    assert found["weights"]["max"] < 0.05
    assert found["worst"][0]["error"] == found["weights"]["max"]


def test_a_tag_off_the_list(tmp_path: Path) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps({"sizes": {"qwen2.5:14b": "9.0 GB", "qwen2.5:7b": "9.4 GB", "nothing:1b": "1 GB"}}))
    found = ollama_accuracy.accuracy(path)
    assert (found["rows"], found["unsupported"], found["weights"]["exact"]) == (2, 1, 1)
    assert found["weights"]["max"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("text", "size", "half"), [("4.7 GB", 4.7e9, 0.05e9), ("43\u202fGB", 43e9, 0.5e9), ("815MB", 815e6, 0.5e6)]
)
def test_sizes_are_read_with_their_rounding(text: str, size: float, half: float) -> None:
    assert ollama_accuracy.size(text) == pytest.approx((size, half))


def test_no_errors_no_figures() -> None:
    assert ollama_accuracy.summary([]) == {"n": 0, "exact": 0, "median": None, "p95": None, "max": None}
