"""The published accuracy: it is read as written, and what is of another form is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gyakusan.catalog import accuracy
from gyakusan.errors import BadRecord

ENTRY: dict[str, Any] = {
    "id": "mlx",
    "engine": "MLX-LM",
    "file": "x.json",
    "rows": 3,
    "left_out": {"refused": 2},
    "groups": [
        {"by": "all", "name": "", "rows": 3, "parts": {"peak": [3, 2, 0.0, 0.1, 0.2]}, "range_holds": 0.9},
        {"by": "architecture", "name": "llama", "rows": 1, "parts": {"peak": [1, 1, 0.0, 0.0, 0.0]}},
    ],
    "worst": [{"name": "gemma3", "part": "peak", "error": 0.2, "why": ""}],
}


def written(folder: Path, value: object) -> Path:
    path = folder / "accuracy.json"
    path.write_text(json.dumps(value))
    return path


def test_what_is_published() -> None:
    sections = {s.id: s for s in accuracy.memory()}
    assert {"one_device", "architectures", "split", "logs", "forks", "ollama", "vllm", "vllm_logs", "mlx"} == set(
        sections
    )
    for section in sections.values():
        assert (section.groups[0].by, section.groups[0].rows) == ("all", section.rows)
        assert all(0 <= f.exact <= f.n for g in section.groups for f in g.parts.values())
        assert all(f.median <= f.p95 <= f.worst for g in section.groups for f in g.parts.values())


@pytest.mark.parametrize("part", ["weights", "context"])
def test_bytes_that_we_promise_are_published_as_exact(part: str) -> None:
    weights = [s.groups[0].parts[part] for s in accuracy.memory() if s.id in ("one_device", "architectures", "split")]
    assert all(f.exact == f.n for f in weights)


def test_a_section(tmp_path: Path) -> None:
    (section,) = accuracy.memory(written(tmp_path, {"memory": [ENTRY], "speed": None}))
    assert section.groups[0].parts["peak"] == accuracy.Figures(3, 2, 0.0, 0.1, 0.2)
    assert section.groups[0].range_holds == 0.9
    assert [g.name for g in section.by("architecture")] == ["llama"]
    assert section.worst == (accuracy.Case("gemma3", "peak", 0.2),)


def test_speed(tmp_path: Path) -> None:
    assert accuracy.speed(written(tmp_path, {"memory": [], "speed": {"rows": 5}})) == {"rows": 5}


@pytest.mark.parametrize(
    "change", [{"rows": None, "more": 1}, {"groups": [{"by": "all"}]}, {"worst": [{"name": "x"}]}, {"groups": None}]
)
def test_another_form_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadRecord, match=r"accuracy\.json"):
        accuracy.memory(written(tmp_path, {"memory": [{**ENTRY, **change}]}))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.json"
    path.write_text("{")
    with pytest.raises(BadRecord):
        accuracy.memory(path)
    with pytest.raises(BadRecord):
        accuracy.memory(tmp_path / "nothing.json")
