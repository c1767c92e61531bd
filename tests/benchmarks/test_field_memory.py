"""Memory in the field, by kind of fault: what was reported, priced through the door that a user takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.memory_accuracy import TRUTH

from benchmarks import field_memory

FILE = TRUTH / "field_memory.json"
FOUND = field_memory.judge_all(FILE)
MENDED = {"K1": 0, "K2": 1, "K3": 0, "K4": 1, "K5": 0, "K6": 0, "K10": 0}
"""Kind -> rows that are not right.

K2: a server of 16 GB that printed 7.2 copies of the logits where ten printed 9.6 to 9.9. K4: the weights
of an NVFP4 checkpoint, of which nobody knows which matrices it keeps in 16 bits."""


@pytest.mark.parametrize("kind", MENDED)
def test_reports_are_right_within_3_percent_or_a_narrow_range(kind: str) -> None:
    wrong = [
        f"{one.error:+.1%} {one.low:.2f}..{one.high:.2f} {one.name}"
        for one in FOUND
        if one.kind == kind and not one.right
    ]
    assert len(wrong) <= MENDED[kind], wrong


def test_every_range_of_a_mended_kind_holds_what_was_seen_or_is_near() -> None:
    for one in FOUND:
        if one.kind in MENDED:
            assert one.low <= 1 <= one.high or abs(one.error) <= field_memory.NEAR, one.name


def test_a_wrong_figure_would_be_seen(tmp_path: Path) -> None:
    row = next(r for r in json.loads(FILE.read_text()) if r["kind"] == "K1")
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row, {**row, "seen": row["seen"] * 2}, {**row, "model": "no-such-model"}]))
    found = field_memory.judge_all(path)
    assert [one.right for one in found] == [True, False, False]
    assert field_memory.by_kind(found)["K1"] == {"n": 3, "right": 1, "worst": -1.0}


def test_a_range_that_is_too_wide_is_not_right() -> None:
    assert field_memory.Judged("K1", "", 0.1, 0.9, 1.15).right
    assert not field_memory.Judged("K1", "", 0.1, 0.5, 2.0).right
    assert not field_memory.Judged("K1", "", 0.1, 1.05, 1.15).right
