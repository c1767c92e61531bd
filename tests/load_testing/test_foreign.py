"""Results of other tools, with the fields that their files have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gyakusan.errors import BadReference, BadSetting
from gyakusan.load_testing.foreign import read_result
from gyakusan.load_testing.result import Figure
from gyakusan.load_testing.workload import Shape

VLLM = {
    "date": "20261129-015031", "backend": "openai-chat", "model_id": "smol", "num_prompts": 12, "request_rate": "inf",
    "burstiness": 1.0, "max_concurrency": 4, "duration": 10.0, "completed": 12, "failed": 1, "total_input_tokens": 1200,
    "total_output_tokens": 600, "request_throughput": 1.2, "request_goodput": None, "output_throughput": 60.0,
    "total_token_throughput": 180.0, "mean_ttft_ms": 150.0, "median_ttft_ms": 140.0, "p99_ttft_ms": 300.0,
    "mean_tpot_ms": 50.0, "median_tpot_ms": 49.0, "p99_tpot_ms": 60.0, "mean_itl_ms": 50.0, "median_itl_ms": 48.0,
}  # fmt: skip
P95 = {"p95": 200.0}
GUIDELLM = {
    "metadata": {"version": 1},
    "benchmarks": [
        {
            "config": {"strategy": {"type_": "concurrent", "streams": n}},
            "duration": 20.0,
            "metrics": {
                "request_totals": {"successful": 8, "errored": 0, "total": 8},
                "prompt_token_count": {"successful": {"mean": 64.0}},
                "output_token_count": {"successful": {"mean": 16.0}},
                "time_to_first_token_ms": {
                    "successful": {"mean": 100.0 * n, "median": 90.0, "count": 8, "percentiles": P95}
                },
                "inter_token_latency_ms": {"successful": {"mean": 25.0, "median": 25.0, "percentiles": {}}},
                "output_tokens_per_second": {"successful": {"mean": 30.0 * n}},
                "requests_per_second": {"successful": {"mean": 2.0}},
                "request_latency": {"successful": {"mean": 0.5, "count": 8}},
            },
        }
        for n in (1, 4)
    ],
}
AIPERF = {
    "schema_version": "1.0", "aiperf_version": "0.13.0", "start_time": "2026-11-29T01:00:00",
    "input_config": {"endpoint": {"model_names": ["smol"]}, "loadgen": {"concurrency": 4}},
    "time_to_first_token": {"unit": "ms", "avg": 120.0, "p50": 110.0, "p90": 150.0, "p95": 160.0, "p99": 170.0, "count": 12},
    "inter_token_latency": {"unit": "ms", "avg": 20.0, "p50": 20.0, "count": 12},
    "request_latency": {"unit": "ms", "avg": 900.0, "p50": 880.0, "count": 12},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 77.0}, "request_throughput": {"unit": "requests/sec", "avg": 1.5},
    "request_count": {"unit": "requests", "avg": 12.0}, "output_sequence_length": {"unit": "tokens", "avg": 40.0},
    "input_sequence_length": {"unit": "tokens", "avg": 64.0}, "benchmark_duration": {"unit": "sec", "avg": 8.0},
}  # fmt: skip
FILE = "/home/me/models/a.gguf"
LLAMA = [
    {"build_commit": "7e4c0a9", "build_number": 10434, "model_filename": FILE,
     "n_prompt": p, "n_gen": g, "n_depth": d,
     "avg_ns": 10**9, "avg_ts": 100.0 + p, "stddev_ts": 2.0, "samples_ts": [1, 2, 3, 4], "test_time": "2026-11-29T01:00:00Z"}
    for p, g, d in ((512, 0, 0), (0, 128, 4096))
]  # fmt: skip


def write(folder: Path, told: Any) -> Path:
    file = folder / "result.json"
    file.write_text(told if isinstance(told, str) else json.dumps(told))
    return file


def test_vllm(tmp_path: Path) -> None:
    result = read_result(write(tmp_path, VLLM))
    (step,) = result.steps
    assert (result.source, result.model, result.started) == ("vllm bench serve", "smol", "2026-11-29T01:50:31Z")
    assert (step.step.users, step.step.shape, step.requests, step.failed) == (4, Shape(100, 50), 12, 1)
    assert step.ttft
    assert step.ttft.mean == Figure(pytest.approx(0.15))
    assert step.ttft.p95 is None
    assert step.each == Figure(pytest.approx(20.0))
    assert (step.all, step.goodput) == (Figure(60.0), None)


def test_guidellm(tmp_path: Path) -> None:
    result = read_result(write(tmp_path, GUIDELLM))
    assert [s.step.users for s in result.steps] == [1, 4]
    four = result.steps[1]
    assert four.ttft
    assert four.ttft.mean == Figure(pytest.approx(0.4))
    assert four.ttft.p95 == Figure(pytest.approx(0.2))
    assert (four.all, four.each, four.requests) == (Figure(120.0), Figure(40.0), 8)


def test_aiperf(tmp_path: Path) -> None:
    result = read_result(write(tmp_path, AIPERF))
    (step,) = result.steps
    assert (result.source, result.model, step.step.users, step.requests) == ("aiperf", "smol", 4, 12)
    assert step.e2e
    assert step.e2e.mean == Figure(pytest.approx(0.9))
    assert (step.all, step.each) == (Figure(77.0), Figure(50.0))


@pytest.mark.parametrize("lines", [False, True])
def test_llama_bench(tmp_path: Path, lines: bool) -> None:
    result = read_result(write(tmp_path, "\n".join(map(json.dumps, LLAMA)) if lines else LLAMA))
    prefill, decode = result.steps
    assert (result.model, result.server) == ("a.gguf", "llama.cpp b10434 (7e4c0a9)")
    assert prefill.prefill
    assert prefill.prefill.value == 612.0
    assert prefill.each is None
    assert decode.each
    assert decode.each.low == pytest.approx(100 - 1.96)
    assert decode.step.shape.depth == 4096


HOSTILE: list[Any] = [
    "", "[", "[]", "{}", "null", "[" * 100_000, '{"benchmarks": 3}', '{"benchmarks": [{}]}', '{"benchmarks": []}',
    {**VLLM, "completed": "many"}, {**VLLM, "duration": None, "completed": None}, [{"n_prompt": 1, "n_gen": 1, "avg_ts": "x"}],
]  # fmt: skip


@pytest.mark.parametrize("told", HOSTILE, ids=range(len(HOSTILE)))
def test_files_that_are_no_result(tmp_path: Path, told: Any) -> None:
    file = write(tmp_path, told)
    with pytest.raises(BadSetting, match="is not a result of"):
        read_result(file)


def test_names_are_one_printable_line(tmp_path: Path) -> None:
    assert read_result(write(tmp_path, {**VLLM, "model_id": "a\x1b[2J\nb"})).model == "a [2J b"


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json", Path("/dev/zero")):
        with pytest.raises(BadReference, match=r"does not exist|not a"):
            read_result(path)
