"""Logs of real GPUs are held to what we promise, and the judge itself to what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.log_accuracy import MIX, VULKAN, accuracy, compare, compare_fork, model_of, summary
from benchmarks.memory_accuracy import TRUTH, Unsupported

from benchmarks import log_accuracy, log_eras

LOGS = TRUTH / "llamacpp_logs.json"


@pytest.fixture(scope="module")
def logs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(LOGS.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return accuracy(LOGS)


def row(logs: list[dict[str, Any]], source: str) -> dict[str, Any]:
    return next(r for r in logs if source in r["source"])


def test_every_log_is_compared_or_named(report: dict[str, Any]) -> None:
    assert report["rows"] == 112
    assert report["used"] + sum(report["unsupported"].values()) == report["rows"]
    assert report["llamacpp"] == 36
    assert {"rows", "used", "unsupported", "model", "kv", "compute", "worst"} <= set(report)


@pytest.mark.parametrize("part", ["model", "kv", "state", "compute", "output"])
def test_the_median_is_within_one_percent(report: dict[str, Any], part: str) -> None:
    assert report[part]["median"] <= 0.01


@pytest.mark.parametrize("part", ["kv", "state", "output"])
def test_caches_are_as_printed(report: dict[str, Any], part: str) -> None:
    assert report[part]["max"] < 1e-9


def test_what_has_no_reason_is_small(report: dict[str, Any]) -> None:
    assert report["unexplained"]["model"]["p95"] < 0.001
    assert report["unexplained"]["compute"]["p95"] < 0.001
    assert max(report["unexplained"][p]["max"] for p in ("model", "compute")) < 0.04


def test_forks_that_keep_the_rule_agree(report: dict[str, Any]) -> None:
    assert report["forks"]["logs"] == 37
    assert report["forks"]["kv"]["p95"] < 0.001


def test_reasons_are_only_given_where_they_hold(logs: list[dict[str, Any]]) -> None:
    reasons: dict[str, Any] = {}
    for number, log in enumerate(logs):
        if log["engine"] == "llama.cpp" and log["clean"] and not log["type_k"].startswith("turbo"):
            reasons |= {c.why: log for c in compare(number, log) if c.why}
    assert set(reasons) == {MIX, VULKAN}
    assert all(c.why != VULKAN for c in compare(0, logs[0]))


def test_eras_follow_dates() -> None:
    assert [log_eras.era(d).vectors for d in ("2024-05-12", "2026-05-07", "2026-11-01")] == [1, 2, 4]


def test_four_cards_are_split_and_pipelined_as_printed(logs: list[dict[str, Any]]) -> None:
    found = list(compare(3, row(logs, "3090_4_v3")))
    assert {c.device for c in found} == {"gpu0", "gpu1", "gpu2", "gpu3", "host"}
    assert max(c.error for c in found) < 0.0005


def test_a_wrong_figure_would_be_seen(logs: list[dict[str, Any]]) -> None:
    log = logs[0]
    changed = {**log, "kv_buf_mib": {"CUDA0": log["kv_buf_mib"]["CUDA0"] * 1.02}}
    assert summary(c for c in compare(0, log) if c.part == "kv")["max"] == 0
    assert summary(c for c in compare(0, changed) if c.part == "kv")["max"] == pytest.approx(0.02 / 1.02, rel=1e-3)


def test_what_cannot_be_compared_says_why(logs: list[dict[str, Any]]) -> None:
    base = logs[0]
    with pytest.raises(Unsupported, match="no model known"):
        model_of({**base, "n_embd": "77"})
    with pytest.raises(Unsupported, match="quantisation"):
        model_of({**base, "ftype": "IQ9_Z"})
    with pytest.raises(Unsupported, match="not everything"):
        list(compare(0, {**base, "offloaded": "3/33"}))
    with pytest.raises(Unsupported, match="cache type"):
        list(compare(0, {**base, "type_k": "turbo3"}))
    latent = next(r for r in logs if r["arch"] == "deepseek2")
    with pytest.raises(Unsupported, match="expanded"):
        list(compare_fork(0, {**latent, "mla_attn": "0"}))


def test_the_report_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str], logs: list[dict[str, Any]]) -> None:
    path = tmp_path / "logs.json"
    path.write_text(json.dumps([logs[0], {**logs[0], "clean": 0}]))
    text = log_accuracy.text(accuracy(path))
    assert text.startswith("2 logs, 1 of llama.cpp and 0 of forks compared")
    assert "left out: 1 not clean" in text
