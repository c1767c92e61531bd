"""A plan by its number or file: where it is another one than was saved, a notice says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gyakusan.cli import main

ASK = ("plan", "--device", "RTX 4090", "--users", "2", "--context", "8k")


def test_a_plan_that_changed_since_it_was_saved_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "office.json"
    assert main([*ASK, "--save", str(file)]) == 0
    capsys.readouterr()
    assert main(["export", str(file), "--to", "compose"]) == 0
    same = capsys.readouterr()
    saved = json.loads(file.read_text())
    saved["plans"][0] = {**saved["plans"][0], "model": "$(touch x)"}
    file.write_text(json.dumps(saved))
    assert main(["export", str(file), "--to", "compose"]) == 0
    other = capsys.readouterr()
    assert other.out == same.out
    assert "Plan 1 was" not in same.err
    assert "Plan 1 was $(touch x)" in other.err
    assert other.err.count("RTX 4090") == 2  # then and now: another machine is another plan
