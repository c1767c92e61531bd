"""The benchmark itself: what it prints, and what it does with rows and logs that it cannot answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.engines.vllm import recorded

from benchmarks import vllm_accuracy


def test_json_of_a_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, configs = tmp_path / "rows.jsonl", tmp_path / "configs.json"
    logs = tmp_path / "logs.json"
    chosen = [r for r in recorded.rows() if r["model"] == "gpt-oss-20b"]
    rows.write_text("\n".join(json.dumps(r) for r in chosen))
    configs.write_text(json.dumps({"gpt-oss-20b": recorded.configs()["gpt-oss-20b"]}))
    logs.write_text(json.dumps([r for r in recorded.logs() if "gpt-oss" in r["model"]]))
    arguments = ["x", "--truth", str(rows), "--configs", str(configs), "--logs", str(logs), "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    vllm_accuracy.main()
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == found["per_req_exact"] == found["block_bytes_exact"] == len(chosen)
    assert {"n", "tokens_median_error", "range_holds_share", "worst"} <= set(found["logs"])


def test_rows_that_are_refused_are_not_exact_and_listed() -> None:
    row = dict(recorded.rows()[0])
    rows = [{**row, "model": "unheard-of"}, {**row, "tp": 7}, {**row, "per_req_bytes": 1}]
    found = vllm_accuracy.judge_rows(rows, recorded.configs())
    assert found["per_req_exact"] == 0
    assert len(found["refused"]) == 2
    assert len(found["wrong"]) == 1


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cpatonn/Qwen3-Coder-30B-A3B-Instruct-GPTQ-4bit", 48),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", 32),
        ("RedHatAI/gemma-3-27b-it-FP8-dynamic", 62),
        ("/models/target", None),
    ],
)
def test_models_are_found_by_their_names(name: str, found: int | None) -> None:
    model = vllm_accuracy._model(name, recorded.configs())
    assert (model.blocks if model else None) == found


def test_a_log_that_says_little_is_still_answered() -> None:
    row: dict[str, Any] = {
        "model": "x/unknown",
        "max_seq_len": 8192,
        "model_loading_gib": 10.0,
        "avail_kv_gib": 10.9,
        "gpu_kv_tokens": 1000,
        "gpu": "Some card 24GB",
    }
    found = vllm_accuracy.judge_logs([row], {**recorded.configs()})
    assert found["by"] == {"pool": 1}
    assert found["range_holds_share"] == 1.0
