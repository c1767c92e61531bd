"""The speed benchmark on a file of a few rows: what it resolves, what it rejects, how it counts."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.speed import fit, judge, rows
from benchmarks.speed_accuracy import report

FIELDS = (
    *("source_id", "hardware", "n_gpu", "vram_gb", "unified", "cpu", "model", "hf_id"),
    *("params_b", "quant", "weights_gib", "engine", "engine_version", "backend", "date", "n_prompt"),
    *("n_gen", "depth", "concurrency", "pp_tps", "tg_tps", "tg_tps_scope", "ttft_ms", "tpot_ms"),
    *("total_out_tps", "flags", "peak_vram_gib", "power_w", "spec_decode", "notes", "source"),
)
CARD = {"source_id": "bench", "hardware": "RTX 4090", "n_gpu": "1", "vram_gb": "24", "concurrency": "1"}
LLAMA = {
    **CARD,
    "model": "Llama-3.1-8B-Instruct-Q4_K_M.gguf",
    "quant": "Q4_K_M",
    "engine": "llama.cpp",
    "backend": "CUDA",
}
SERVER = {**CARD, "model": "Qwen/Qwen3-8B", "quant": "fp8", "engine": "vllm", "backend": "cuda", "n_prompt": "1024"}
ROWS = [
    {**LLAMA, "n_gen": "128", "tg_tps": "140"},
    {**LLAMA, "n_gen": "128", "tg_tps": "150", "depth": "4096"},
    {**LLAMA, "n_prompt": "512", "pp_tps": "8000"},
    {**LLAMA, "n_gen": "128", "tg_tps": "400"},
    {**LLAMA, "n_gen": "128", "tg_tps": "2"},
    {**LLAMA, "n_gen": "128", "tg_tps": "150", "flags": '{"cmd": "--spec-draft-n 4"}'},
    {**LLAMA, "model": "Llama-3.1-70B-Instruct-Q8_0.gguf", "quant": "Q8_0", "n_gen": "128", "tg_tps": "1"},
    {**SERVER, "n_gen": "256", "concurrency": "8", "tpot_ms": "14", "ttft_ms": "180", "total_out_tps": "480"},
    {**LLAMA, "hardware": "Abacus 3", "n_gen": "128", "tg_tps": "3"},
    {**LLAMA, "model": "a model of my own", "n_gen": "128", "tg_tps": "30"},
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speed") / "measured.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, FIELDS, restval="")
        writer.writeheader()
        writer.writerows(ROWS)
    return path


def test_rows_are_resolved_and_junk_is_named(file: Path) -> None:
    found = report(file)
    assert (found["rows"], found["resolved_share"]) == (10, 0.8)
    assert found["unknown"] == {"hardware": 1, "model": 1}
    reasons = " ".join(found["rejected"])
    assert "faster than the bandwidth" in reasons
    assert "less than 4 %" in reasons
    assert "speculative" in reasons
    assert "larger than the memory" in reasons


def test_slices_are_counted_by_cell(file: Path) -> None:
    slices = {s["slice"]: s for s in report(file)["slices"]}
    single = slices["decode single"]
    assert single["n"] == 1
    assert set(single) == {"slice", "n", "median", "p90", "within20", "within30", "coverage80"}
    assert single["median"] < 0.25
    assert list(slices)[:2] == ["decode single", "decode single llama.cpp"]
    assert {"decode many", "decode many vllm", "prefill", "prefill llama.cpp", "throughput vllm"} <= set(slices)
    assert {"ttft many", "ttft many vllm"} <= set(slices)


def test_the_command_prints_json(file: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "speed_accuracy.py"
    run = subprocess.run(
        [sys.executable, script, "--measured", file, "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout)["rows"] == 10


def test_an_error_is_of_speeds_and_a_cell_is_its_median() -> None:
    seen = list(rows.table(rows_of(ROWS[:2])).observations)
    predicted = np.array([o.seconds / 1.5 for o in seen])
    (cell,) = judge.cells(seen, predicted, np.array([True, False]))
    assert cell.error == pytest.approx(0.5)
    assert cell.covered == 0.5


def test_the_factor_covers_four_of_five() -> None:
    errors = np.linspace(0.01, 1.0, 100)
    value, cells = judge.factor(errors, np.arange(100), np.arange(100))
    assert cells == 100
    assert np.log(value) == pytest.approx(0.81)


def test_a_crowded_cell_counts_once() -> None:
    errors = np.concatenate([np.full(90, 0.9), np.linspace(0.01, 0.1, 10)])
    cells = np.concatenate([np.zeros(90, int), np.arange(1, 11)])
    assert np.log(judge.factor(errors, cells, cells)[0]) < 0.2


def test_groups_stay_whole_in_folds() -> None:
    seen = list(rows.table(rows_of(ROWS[:3])).observations)
    fitted = judge.fit_all(seen, steps=3)
    assert judge.predict(fitted, seen).shape == (len(seen),)


def rows_of(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**dict.fromkeys(FIELDS, ""), **row} for row in found]


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    short, broken = tmp_path / "short.csv", tmp_path / "broken.csv.gz"
    short.write_text("source_id,hardware\na,b\n")
    broken.write_bytes(b"not gzip")
    with pytest.raises(ValueError, match="has no column backend, concurrency"):
        rows.read(short)
    with pytest.raises(ValueError, match="no table of measurements"):
        rows.read(broken)


def test_who_waits_for_a_slot_is_none_of_its_users() -> None:
    offered = {**LLAMA, "engine": "Ollama", "n_prompt": "200", "n_gen": "128", "concurrency": "8", "tg_tps": "19"}
    told = {**offered, "ttft_ms": "900", "total_out_tps": "152", "flags": '{"num_parallel": 1}'}
    (whole,) = rows.table(rows_of([told])).observations
    assert (whole.kind, whole.users, whole.seconds) == ("throughput", 1, pytest.approx(1 / 152))
    room = {**told, "flags": '{"num_parallel": 8}'}
    assert {(o.kind, o.users) for o in rows.table(rows_of([room])).observations} == {
        ("decode", 8), ("ttft", 8), ("throughput", 8),
    }  # fmt: skip


def test_a_served_conversation_holds_its_prompt() -> None:
    row = {**LLAMA, "n_prompt": "4000", "n_gen": "200", "tg_tps": "30", "concurrency": "2"}
    bench, served = rows.table(rows_of([row, {**row, "flags": '{"slots": 2}'}])).observations
    assert (bench.context, served.context) == (100, 4100)
    mixed = rows.table(rows_of([{**row, "flags": '{"slots": 2, "interleaved": 1}'}]))
    assert not mixed.observations
    assert "prompts of others" in str(mixed.rejected)


def test_each_source_counts_once_for_the_next() -> None:
    errors = np.concatenate([np.full(95, 0.1), np.linspace(0.5, 0.9, 5)])
    groups = np.concatenate([np.zeros(95, int), np.arange(1, 6)])
    assert np.log(judge.factor(errors, np.arange(100), groups, finite=False)[0]) == pytest.approx(0.8)
    assert np.log(judge.factor(errors, np.arange(100), np.zeros(100), finite=False)[0]) == pytest.approx(0.1)


def test_each_source_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list(rows.table(rows_of([{**ROWS[0], "source_id": name} for name in "abcdefgh"])).observations)
    trained: list[set[str]] = []
    monkeypatch.setattr(judge, "fit_all", lambda some, steps: trained.append({o.source for o in some}))
    monkeypatch.setattr(judge, "predict", lambda _, test: np.ones(len(test)))
    predicted, fold = judge.all_left_out(seen)["source"]
    assert [len(some) for some in trained[:8]] == [7] * 8
    assert sorted(fold) == list(range(8))
    assert (predicted == 1).all()


def test_a_step_of_the_fit_solves_its_equations() -> None:
    random = np.random.default_rng(1)
    places, values = random.integers(0, 9, (3, 40)), random.normal(size=(3, 40))  # 8 parameters; place 8 is none
    dense = np.zeros((40, 9))
    for level in range(3):
        np.add.at(dense, (np.arange(40), places[level]), values[level])
    dense = dense[:, :8]
    slopes, prior, right = fit.Slopes(places, values, 8), random.uniform(0.5, 2, 8), random.normal(size=8)
    assert slopes.back(np.ones(40)) == pytest.approx(dense.sum(axis=0))
    curvature = np.diag(slopes.curvature(prior))
    expected = np.linalg.solve(dense.T @ dense + np.diag(prior) + 0.01 * curvature, right)
    assert slopes.solve(prior, 0.01, right) == pytest.approx(expected, abs=2e-3)
