"""tools/accuracy.py: what it writes can be read back, and a figure that drifts is named."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tools import accuracy as tool


def test_figures() -> None:
    assert tool._figures([0.0, 0.0, 0.5, 0.25]) == [4, 2, 0.25, 0.5, 0.5]
    assert tool._figures([0.123456]) == [1, 0, 0.1235, 0.1235, 0.1235]


def test_the_worst_are_named_once() -> None:
    cases = [(0.1, "a", "total", ""), (-0.3, "b", "total", "known"), (0.2, "a", "total", ""), (0.0, "c", "total", "")]
    assert [(c["name"], c["error"]) for c in tool._worst(cases)] == [("b", 0.3), ("a", 0.2)]


def test_what_is_written_is_json_with_short_lines() -> None:
    group = {"by": "all", "name": "", "rows": 2, "parts": {"total": [2, 1, 0.0, 0.1, 0.1]}}
    section = tool._section("mlx", "MLX-LM", "x", 2, Counter({"why": 1}), [group, {**group, "by": "architecture"}], [])
    summary: dict[str, Any] = {"memory": [section], "speed": None}
    text = tool.encoded(summary)
    assert json.loads(text) == summary
    assert len(text.splitlines()) < 25


def test_drift_is_named() -> None:
    old = {"memory": [{"id": "mlx", "rows": 3, "groups": [{"name": "llama", "rows": 1}]}]}
    new = {"memory": [{"id": "mlx", "rows": 4, "groups": [{"name": "llama", "rows": 2}]}]}
    assert list(tool.differences(old, new)) == [
        ".memory[mlx].groups[llama].rows: 1 -> 2",
        ".memory[mlx].rows: 3 -> 4",
    ]
    assert list(tool.differences(old, old)) == []


@pytest.mark.parametrize("make", [tool.mlx, tool.ollama, lambda: next(iter(tool.logs()))])
def test_quick_sections_are_as_published(make: Any) -> None:
    made = json.loads(json.dumps(make()))
    published = {s["id"]: s for s in json.loads(tool.TARGET.read_text("utf-8"))["memory"]}
    assert list(tool.differences(published[made["id"]], made)) == []
