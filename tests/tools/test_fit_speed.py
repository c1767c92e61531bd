"""tools/fit_speed.py: what one run writes, and that the file of the project is what a run writes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.speed import fit, intervals

from gyakusan.catalog.places import DATA
from gyakusan.core.records import field_names
from gyakusan.core.roofline import SpeedConstants
from tools import fit_speed as tool

SHIPPED = DATA / "speed_constants.json"
SOURCES = "abcdefghijklm"
"""Of a made table: enough that none is too large a share to be left out."""


def shipped() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SHIPPED.read_text("utf-8"))
    return found


def test_the_intervals_of_the_project_follow_from_the_errors_beside_them() -> None:
    """The errors are of fits that left out each source; the run that wrote them is not repeated here."""
    errors = intervals.Errors.read(json.loads(gzip.decompress(tool.LEFT_OUT.read_bytes())))
    assert intervals.calibrated(errors) == shipped()["intervals"]
    about = shipped()["provenance"]
    assert len(errors.size) == about["observations"]
    assert len(set(errors.source)) == len(about["sources"])


def test_the_file_of_the_project_has_the_form_that_a_run_writes() -> None:
    found = shipped()
    assert SHIPPED.read_text("utf-8") == json.dumps(found, indent=1, sort_keys=False) + "\n"
    assert list(found) == ["provenance", "seen", "intervals", "constants"]
    assert list(found["constants"]) == [*fit.PREFILL, *fit.DECODE]
    assert set(found["constants"]) | {"grouped", "together", "queue", "busy"} == set(field_names(SpeedConstants()))
    for name, term in found["constants"].items():
        spec = {**fit.PREFILL, **fit.DECODE}[name][2]
        assert set(term.get("levels", {})) <= set(spec) - {fit.SOURCE}


def test_the_accuracy_of_the_project_is_of_the_same_tables() -> None:
    accuracy = json.loads((DATA / "accuracy.json").read_text("utf-8"))["speed"]
    about = shipped()["provenance"]
    assert (accuracy["rows"], accuracy["resolved_share"]) == (about["rows"], about["resolved"])
    assert sum(about["sources"].values()) == about["observations"]


def test_the_same_tables_give_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "measured.csv"
    table.write_text(_table(), "utf-8")
    written = []
    for run in ("first.json", "second.json"):
        out, left = tmp_path / run, tmp_path / f"{run}.gz"
        arguments = ["fit_speed.py", str(table), "--out", str(out), "--left-out", str(left)]
        monkeypatch.setattr("sys.argv", arguments)
        tool.main()
        written.append(out.read_bytes() + left.read_bytes())
    assert written[0] == written[1]
    found = json.loads((tmp_path / "first.json").read_text("utf-8"))
    assert found["provenance"]["sources"] == dict.fromkeys(SOURCES, 2)
    assert {"decode single, model", "prefill, model"} <= set(found["intervals"])


def _table() -> str:
    from benchmarks.speed import rows

    about = {"hardware": "RTX 4090", "n_gpu": "1", "vram_gb": "24", "concurrency": "1", "engine": "llama.cpp"}
    same = {**about, "model": "Llama-3.1-8B-Instruct-Q4_K_M.gguf", "quant": "Q4_K_M", "backend": "CUDA"}
    columns = [*sorted(rows.COLUMNS), "date"]
    timed = [{"n_gen": "128", "tg_tps": "140"}, {"n_prompt": "512", "pp_tps": "8000"}]
    lines = [{**same, **time, "source_id": name} for name in SOURCES for time in timed]
    return "\n".join([",".join(columns), *(",".join(line.get(c, "") for c in columns) for line in lines)]) + "\n"
