"""The speed benchmark on a file of a few rows: what it resolves, what it rejects, how it counts."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.speed import fit, intervals, judge, rows
from benchmarks.speed.columns import columns
from benchmarks.speed_accuracy import report
from msgspec import structs

from gyakusan.core.roofline import SpeedConstants, first_token

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
KNOWN = ("queue", "busy", "together", "grouped")
"""Constants that follow from how prompts come and are taken."""
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


def silicon(**more: str) -> rows.Row:
    about = {**SERVER, "source_id": rows.SILICON, "hardware": "b200_sxm", "n_gen": "1024", "ttft_ms": "300"}
    return {**dict.fromkeys(FIELDS, ""), **about, **more}


@pytest.mark.parametrize(
    ("notes", "devices"), [("id=a_agg_c16_tp4_ep4_1887", 4), ("id=a_cfg615", 4), ("id=a_tp2_ep2_7", 2)]
)
def test_gpus_that_were_counted_once_for_each_group_of_experts(notes: str, devices: int) -> None:
    apart = str(devices)
    whole = str(devices**2)
    said = {"tp_size": whole, "moe_tp_size": apart, "moe_ep_size": apart}
    found = rows.table([silicon(n_gpu=whole, concurrency="16", flags=json.dumps(said), notes=notes)]).observations
    assert {(o.devices, o.parallel) for o in found} == {(devices, devices)}
    right = {"tp_size": "4", "moe_tp_size": "1", "moe_ep_size": "4"}
    found = rows.table([silicon(n_gpu="4", concurrency="16", flags=json.dumps(right))]).observations
    assert {(o.devices, o.parallel) for o in found} == {(4, 4)}


def test_lengths_that_a_client_draws_and_those_that_all_have() -> None:
    drawn, even = (rows.table([silicon(concurrency="16", n_prompt=p)]).observations[0] for p in ("1024", "2048"))
    assert (drawn.prompt, drawn.answer, drawn.even) == (pytest.approx(0.9 * 1024), pytest.approx(0.9 * 1024), False)
    assert (even.prompt, even.answer, even.even) == (2048, 1024, True)
    assert drawn.opening == even.opening == 0.1


def test_a_mean_of_first_tokens_holds_those_of_the_start() -> None:
    """A tenth of them waits for all prompts before it; where answers are of one length the others wait for one prompt."""
    seen = rows.table([silicon(concurrency="16", n_prompt=p) for p in ("1024", "2048")]).observations
    data = columns([o for o in seen if o.kind == "ttft"])
    k = fit.read_first(data, {n: np.full(2, v) for n, v in structs.asdict(SpeedConstants()).items() if n not in KNOWN})
    found = fit.first_of(data, np.array([1.0, 2.0]), np.array([0.01, 0.01]), k)
    rest = first_token(1.0, 16.0, 0.01, 0.9 * 1024, structs.replace(SpeedConstants(), queue=0.0, busy=1.0))
    start = SpeedConstants().start
    assert found[0] == pytest.approx(0.9 * rest + 0.1 * (start + 8.5 + 0.01))
    assert found[1] == pytest.approx(0.9 * (start + 4 + 0.01) + 0.1 * (start + 17 + 0.01))


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


def errors_of(size: np.ndarray, cell: np.ndarray, source: np.ndarray) -> intervals.Errors:
    return intervals.Errors(
        slices=("decode single, model, llama.cpp",),
        place=np.zeros(len(size), int),
        size=size,
        cell=cell,
        computer=source,
        source=source,
    )


def factors(errors: intervals.Errors) -> dict[str, float]:
    return {name: np.log(found["factor"]) for name, found in intervals.calibrated(errors).items()}


def test_the_factor_covers_four_of_five() -> None:
    sizes = np.linspace(0.01, 1.0, 100)
    found = intervals.calibrated(errors_of(sizes, np.arange(100), np.arange(100)))["decode single, model, llama.cpp"]
    assert found["n"] == 100
    assert 0.79 < (sizes <= np.log(found["factor"])).mean() < 0.83
    assert 0.78 < found["coverage"] < 0.83


def test_a_crowded_cell_counts_once() -> None:
    errors = np.concatenate([np.full(90, 0.9), np.linspace(0.05, 0.1, 10)])
    cells = np.concatenate([np.zeros(90, int), np.arange(1, 11)])
    assert factors(errors_of(errors, cells, cells))["decode single, model"] < 0.2


@pytest.mark.parametrize(("own", "least", "most"), [(1, 0.15, 0.5), (60, 0.05, 0.1)])
def test_few_sources_borrow_of_those_above_and_many_do_not(own: int, least: float, most: float) -> None:
    sizes = np.concatenate([np.full(own, 0.05), np.full(60, 0.7)])
    places = np.arange(len(sizes))
    names = ("prefill, model, mlx", "prefill, model, llama.cpp")
    found = factors(replace(errors_of(sizes, places, places), slices=names, place=(places >= own).astype(int)))
    assert least < found["prefill, model, mlx"] < most
    assert found["prefill, model, llama.cpp"] > 0.6


def test_an_engine_that_nobody_measured_has_the_factor_of_all() -> None:
    found = intervals.calibrated(errors_of(np.full(20, 0.2), np.arange(20), np.arange(20)))
    assert set(found) == {f"decode single, {k}{e}" for k in intervals.CLASSES for e in ("", ", llama.cpp")}


def test_some_columns_are_the_columns_of_some() -> None:
    seen = list(rows.table(rows_of([*ROWS[:3], {**SERVER, "n_gen": "64", "tpot_ms": "9"}])).observations)
    places = np.array([0, 2, 3])
    some, own = columns(seen).some(places), columns([seen[i] for i in places])
    assert some.weight == pytest.approx(own.weight)
    assert (some.demand.cache == own.demand.cache).all()
    assert (some.demand.shape.layers == own.demand.shape.layers).all()
    assert all((some.labels[level] == own.labels[level]).all() for level in own.labels)


def test_groups_stay_whole_in_folds() -> None:
    seen = list(rows.table(rows_of(ROWS[:3])).observations)
    fitted = judge.fit_all(judge.Timed.of(seen), steps=3)
    assert judge.predict(fitted, columns(seen)).shape == (len(seen),)


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
    found = errors_of(errors, np.arange(100), groups)
    assert np.bincount(groups, intervals.votes(found)) == pytest.approx(np.ones(6))
    assert factors(found)["decode single, model"] > 0.5


def test_the_level_is_that_of_the_next_source() -> None:
    """0.8 x 6 / 5 of five sources is the fifth; of many the quantile itself."""
    five, many = np.arange(5), np.arange(1000)
    assert intervals.quantile(five.astype(float), np.ones(5), five) == 4
    assert intervals.quantile(many.astype(float), np.ones(1000), many) == 800


def test_other_kinds_of_figure_weigh_as_a_few_sources() -> None:
    places = np.arange(60)
    errors = replace(
        errors_of(np.full(60, 0.2), places, places),
        slices=("prefill, model, mlx", "gain, model, mlx"),
        place=(places >= 20).astype(int),
    )
    weight = intervals.borrowed(errors, intervals.votes(errors), "prefill")
    assert weight[:20] == pytest.approx(1)
    assert weight[20:].sum() == pytest.approx(intervals.BORROWED)


def test_less_known_is_never_surer() -> None:
    few, wide = errors_of(np.full(20, 0.2), np.arange(20), np.arange(20)), np.arange(20) < 4
    names = ("prefill, model, mlx", "prefill, nothing, mlx")
    found = intervals.calibrated(replace(few, slices=names, place=wide.astype(int), size=np.where(wide, 0.1, 0.2)))
    assert found["prefill, nothing"]["factor"] == found["prefill, model"]["factor"]
    assert found["prefill, nothing"]["coverage"] is None  # of four cells


def test_old_builds_have_intervals_of_their_own() -> None:
    rows_, names = np.arange(40), ("prefill, model, llama.cpp", "prefill, model, llama.cpp, 2025")
    errors = errors_of(np.where(rows_ < 20, 0.1, 0.6), rows_, rows_)
    found = factors(replace(errors, slices=names, place=(rows_ >= 20).astype(int)))
    assert found["prefill, model, llama.cpp, 2025"] > 2 * found["prefill, model, llama.cpp"]


def test_what_is_written_of_errors_is_read_again() -> None:
    errors = errors_of(np.array([0.1, 0.123456789]), np.array([0, 1]), np.array([0, 0]))
    again = intervals.Errors.read(json.loads(json.dumps(errors.written())))
    assert again.slices == errors.slices
    assert again.size == pytest.approx(errors.size, rel=1e-6)
    assert (again.source == errors.source).all()


def test_rows_of_one_conversation_read_its_state_once() -> None:
    row = {**LLAMA, "model": "Qwen3.5-9B", "n_prompt": "256", "pp_tps": "400", "flags": '{"rows_per_step": 4}'}
    alone, four = rows.table(rows_of([{**row, "flags": '{"rows_per_step": 1}', "pp_tps": "100"}, row])).observations
    state = [columns([o]).demand.state[0] * o.users for o in (alone, four)]
    assert state[0] == state[1] > 0


def test_a_tensor_split_is_read_from_notes() -> None:
    row = {**LLAMA, "n_gpu": "2", "n_gen": "128", "tg_tps": "60", "flags": '{"tp": 2}'}
    layers, tensors = rows.table(rows_of([row, {**row, "notes": "2 cards, -sm tensor"}])).observations
    assert (layers.parallel, tensors.parallel) == (1, 2)


def test_a_prompt_whose_beginning_was_cached_is_no_prompt() -> None:
    ladder = [("4096", "4000", "1024"), ("16384", "4000", "4096"), ("32768", "10000", "3277")]
    made = [{**LLAMA, "n_prompt": p, "ttft_ms": t, "pp_tps": s} for p, t, s in ladder]
    found = rows.table(rows_of(made))
    assert {o.prompt for o in found.observations if o.kind == "prefill"} == {4096}
    assert any("beginning was cached" in reason for reason, _ in found.rejected)


def test_each_source_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [{**row, "source_id": name} for name in "abcdefgh" for row in (ROWS[0], ROWS[2])]
    seen = list(rows.table(rows_of(some)).observations)
    trained: list[set[str]] = []
    monkeypatch.setattr(judge, "fit_all", lambda t, steps: trained.append({o.source for o in t.later.observations}))
    monkeypatch.setattr(judge, "predict", lambda _, test: np.ones(len(test)))
    predicted, fold = judge.all_left_out(seen)
    assert [len(some) for some in trained] == [7] * 8
    assert sorted(fold) == sorted([*range(8), *range(8)])
    assert (predicted == 1).all()


def test_a_step_of_the_fit_solves_its_equations() -> None:
    random = np.random.default_rng(1)
    first, second = random.integers(0, 5, (2, 40)), random.integers(5, 9, (1, 40))  # 8 parameters; place 8 is none
    values = random.normal(size=(2, 40))
    dense = np.zeros((40, 9))
    for places, slope in ((first[0], values[0]), (first[1], values[0]), (second[0], values[1])):
        np.add.at(dense, (np.arange(40), places), slope)
    dense = dense[:, :8]
    slopes = fit.Slopes(fit.Terms.of({"a": first, "b": second}, 8), values)
    prior, right = random.uniform(0.5, 2, 8), random.normal(size=8)
    assert slopes.back(np.ones(40)) == pytest.approx(dense.sum(axis=0))
    assert slopes.forward(right) == pytest.approx(dense @ right)
    curvature = np.diag(slopes.curvature(prior))
    expected = np.linalg.solve(dense.T @ dense + np.diag(prior) + 0.01 * curvature, right)
    assert slopes.solve(prior, 0.01, right) == pytest.approx(expected, abs=2e-3)
